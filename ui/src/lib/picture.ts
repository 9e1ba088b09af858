// Reads a QR code out of a picture the user chose, dropped or pasted. The reader is loaded only then.

/** The code's text; `null` where none can be read. Tried at several sizes: a screenshot of a large screen holds a small code. */
export async function readQr(picture: Blob): Promise<string | null> {
  const [{ default: jsQR }, bitmap] = await Promise.all([import("jsqr"), createImageBitmap(picture)]);
  try {
    for (const longest of [1000, 1800, 600, 3200]) {
      const scale = Math.min(1, longest / Math.max(bitmap.width, bitmap.height));
      const { data, width, height } = pixels(bitmap, scale);
      const found = jsQR(data, width, height, { inversionAttempts: "attemptBoth" });
      if (found?.data) return found.data;
    }
    return null;
  } finally {
    bitmap.close();
  }
}

function pixels(bitmap: ImageBitmap, scale: number): ImageData {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  if (!brush) throw new Error("no canvas");
  // Transparent pictures are read as black on white.
  brush.fillStyle = "#fff";
  brush.fillRect(0, 0, canvas.width, canvas.height);
  brush.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return brush.getImageData(0, 0, canvas.width, canvas.height);
}
