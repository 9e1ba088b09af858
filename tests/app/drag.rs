//! Files dragged from another program and dropped on the window, as a file manager does it: the source's part of the
//! XDND protocol, version 5.

use session_roam_testutils::desktop::{Desktop, PATIENCE};
use std::ffi::{CStr, CString, c_int, c_long, c_uchar, c_ulong};
use std::path::Path;
use std::time::{Duration, Instant};
use x11_dl::xlib::{
    ClientMessage, ClientMessageData, CurrentTime, Display, NoEventMask, PropModeReplace,
    SelectionNotify, SelectionRequest, Window, XClientMessageEvent, XEvent, XSelectionEvent,
    XSelectionRequestEvent, Xlib,
};

/// Where on the window, from its upper left corner.
const AT: c_long = (300 << 16) | 300;
const VERSION: c_long = 5;
/// A toolkit accepts only after it has fetched what is dragged; a hand moves meanwhile.
const PACE: Duration = Duration::from_millis(40);

/// Drags files over the window without dropping them, calls `look`, and drops them.
pub fn drop_files(desktop: &Desktop, files: &[&Path], look: impl FnOnce()) {
    let source = Source::new(desktop, files);
    source.enter();
    source.hover();
    look();
    source.drop();
}

struct Source {
    xlib: Xlib,
    server: *mut Display,
    own: Window,
    target: Window,
    uris: Vec<u8>,
}

impl Source {
    fn new(desktop: &Desktop, files: &[&Path]) -> Self {
        let uris = files.iter().map(|path| uri(path)).collect::<String>();
        let xlib = Xlib::open().expect("libX11");
        let display = CString::new(desktop.display.as_str()).expect("a display's name");
        // SAFETY: the name is a C string; the connection is used by this value alone and closed with it.
        let (server, own) = unsafe {
            let server = (xlib.XOpenDisplay)(display.as_ptr());
            assert!(!server.is_null(), "the X server answers");
            let root = (xlib.XDefaultRootWindow)(server);
            (
                server,
                (xlib.XCreateSimpleWindow)(server, root, 0, 0, 1, 1, 0, 0, 0),
            )
        };
        let source = Self {
            xlib,
            server,
            own,
            target: desktop.window_id(),
            uris: uris.into_bytes(),
        };
        let selection = source.atom(c"XdndSelection");
        // SAFETY: the connection is open and the window is ours.
        unsafe { (source.xlib.XSetSelectionOwner)(server, selection, own, CurrentTime) };
        source
    }

    fn enter(&self) {
        let uris = self.atom(c"text/uri-list") as c_long;
        self.send(c"XdndEnter", [VERSION << 24, uris, 0, 0]);
    }

    /// Moves over the window until it accepts what is dragged.
    fn hover(&self) {
        let action = self.atom(c"XdndActionCopy") as c_long;
        let status = self.atom(c"XdndStatus");
        let start = Instant::now();
        loop {
            assert!(
                start.elapsed() < PATIENCE,
                "the window does not accept files"
            );
            self.send(c"XdndPosition", [0, AT, CurrentTime as c_long, action]);
            let answers = self.answers();
            if answers
                .iter()
                .any(|(kind, data)| *kind == status && data.get_long(1) & 1 == 1)
            {
                return;
            }
        }
    }

    fn drop(&self) {
        self.send(c"XdndDrop", [0, CurrentTime as c_long, 0, 0]);
        let finished = self.atom(c"XdndFinished");
        let start = Instant::now();
        while !self.answers().iter().any(|(kind, _)| *kind == finished) {
            assert!(
                start.elapsed() < PATIENCE,
                "the window does not finish the drop"
            );
        }
    }

    /// The messages of the window; requests for the content are answered.
    fn answers(&self) -> Vec<(c_ulong, ClientMessageData)> {
        std::thread::sleep(PACE);
        let mut answers = Vec::new();
        // SAFETY: the connection is open; of the event only the member of its own type is read.
        unsafe {
            while (self.xlib.XPending)(self.server) > 0 {
                let mut event: XEvent = std::mem::zeroed();
                (self.xlib.XNextEvent)(self.server, &mut event);
                let kind = event.get_type();
                if kind == ClientMessage {
                    let message = event.client_message;
                    answers.push((message.message_type, message.data));
                } else if kind == SelectionRequest {
                    self.give(&event.selection_request);
                }
            }
        }
        answers
    }

    fn give(&self, request: &XSelectionRequestEvent) {
        let is_ours = request.target == self.atom(c"text/uri-list");
        let mut answer = XSelectionEvent {
            type_: SelectionNotify,
            serial: 0,
            send_event: 1,
            display: self.server,
            requestor: request.requestor,
            selection: request.selection,
            target: request.target,
            property: 0,
            time: request.time,
        };
        // SAFETY: the bytes outlive the call, which copies them; the event is complete.
        unsafe {
            if is_ours {
                answer.property = request.property;
                (self.xlib.XChangeProperty)(
                    self.server,
                    request.requestor,
                    request.property,
                    request.target,
                    8,
                    PropModeReplace,
                    self.uris.as_ptr().cast::<c_uchar>(),
                    self.uris.len() as c_int,
                );
            }
            let mut event = XEvent { selection: answer };
            (self.xlib.XSendEvent)(self.server, request.requestor, 0, NoEventMask, &mut event);
            (self.xlib.XFlush)(self.server);
        }
    }

    fn send(&self, kind: &CStr, rest: [c_long; 4]) {
        let mut data = ClientMessageData::new();
        data.set_long(0, self.own as c_long);
        for (at, value) in rest.into_iter().enumerate() {
            data.set_long(at + 1, value);
        }
        let message = XClientMessageEvent {
            type_: ClientMessage,
            serial: 0,
            send_event: 1,
            display: self.server,
            window: self.target,
            message_type: self.atom(kind),
            format: 32,
            data,
        };
        // SAFETY: the event is complete and the connection is open.
        unsafe {
            let mut event = XEvent {
                client_message: message,
            };
            (self.xlib.XSendEvent)(self.server, self.target, 0, NoEventMask, &mut event);
            (self.xlib.XFlush)(self.server);
        }
    }

    fn atom(&self, name: &CStr) -> c_ulong {
        // SAFETY: the name is a C string and the connection is open.
        unsafe { (self.xlib.XInternAtom)(self.server, name.as_ptr(), 0) }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        // SAFETY: the connection is open and not used any more.
        unsafe { (self.xlib.XCloseDisplay)(self.server) };
    }
}

/// `file:///a%20b`, with the end of line that the format asks for.
fn uri(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let path = path.to_str().expect("Unicode");
    let escaped = path.bytes().map(|byte| match plain(byte) {
        true => (byte as char).to_string(),
        false => format!("%{byte:02X}"),
    });
    format!("file://{}\r\n", escaped.collect::<String>())
}
