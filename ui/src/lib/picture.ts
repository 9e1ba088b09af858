// Reads a QR code from a picture that the user chose, dropped or pasted, or from a camera. The
// reader is loaded only then.
import type { DecodeOpts, DecodeQR } from "qr/decode.js";

/** The code's text; `null` if none can be read. Tried at several sizes: a screenshot of a large
 * screen contains a small code. */
export async function readQr(picture: Blob): Promise<string | null> {
  const [{ decodeQR }, bitmap] = await Promise.all([import("qr/decode.js"), createImageBitmap(picture)]);
  try {
    for (const longest of [1000, 1800, 600, 3200]) {
      const scale = Math.min(1, longest / Math.max(bitmap.width, bitmap.height));
      const found = seen(decodeQR, pixels(bitmap, scale), THOROUGH);
      if (found) return found;
    }
    return null;
  } finally {
    bitmap.close();
  }
}

/** A picture is looked at once, so it may take longer than a frame of a camera. */
const THOROUGH: DecodeOpts = { effort: 4, timeLimit: 200 };

/** The code's text in the picture, or in its negative: dark windows show light codes. */
function seen(decode: DecodeQR, picture: ImageData, options: DecodeOpts): string | null {
  for (const isNegative of [false, true]) {
    const { data } = picture;
    // The alpha of each pixel stays.
    if (isNegative) for (let at = 0; at < data.length; at++) if (at % 4 !== 3) data[at] = 255 - data[at]!;
    try {
      const text = decode(picture, options);
      if (text) return text;
    } catch {
      // That is how the reader reports a picture without a code.
    }
  }
  return null;
}

/** Searches the camera's picture for a code until the returned function is called, which releases
 * the camera. */
export function film(
  video: HTMLVideoElement,
  found: (text: string) => void,
  failed: (why: "none" | "denied" | "missing") => void,
): () => void {
  let stopped = false;
  let stream: MediaStream | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => {
    stopped = true;
    clearTimeout(timer);
    for (const track of stream?.getTracks() ?? []) track.stop();
  };
  const start = async () => {
    // Webviews without camera support lack this property.
    const devices = navigator.mediaDevices as MediaDevices | undefined;
    if (!devices?.getUserMedia) return failed("none");
    try {
      stream = await devices.getUserMedia({ video: { facingMode: "environment" } });
      if (stopped) return stop();
      video.srcObject = stream;
      await video.play();
      const { decodeQR } = await import("qr/decode.js");
      const look = () => {
        if (stopped) return;
        if (video.videoWidth > 0) {
          const longest = Math.max(video.videoWidth, video.videoHeight);
          const text = seen(decodeQR, pixels(video, Math.min(1, 800 / longest)), {});
          if (text) found(text);
        }
        if (!stopped) timer = setTimeout(look, 200);
      };
      look();
    } catch (thrown) {
      // WebKitGTK says so without any camera (2.50, 2026-11-29).
      const isMissing = ["NotFoundError", "OverconstrainedError"].includes((thrown as Error)?.name);
      if (!stopped) failed(isMissing ? "missing" : "denied");
    }
  };
  void start();
  return stop;
}

function pixels(picture: ImageBitmap | HTMLVideoElement, scale: number): ImageData {
  const canvas = document.createElement("canvas");
  const [width, height] =
    picture instanceof HTMLVideoElement ? [picture.videoWidth, picture.videoHeight] : [picture.width, picture.height];
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  if (!brush) throw new Error("no canvas");
  // Transparent pictures are read as black on white.
  brush.fillStyle = "#fff";
  brush.fillRect(0, 0, canvas.width, canvas.height);
  brush.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return brush.getImageData(0, 0, canvas.width, canvas.height);
}
