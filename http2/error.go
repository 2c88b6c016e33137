package http2

import "strconv"

// Code says why a stream or a connection ended (RFC 9113 7).
type Code uint32

// The codes.
const (
	NoError Code = iota
	ProtocolError
	InternalError
	FlowControlError
	SettingsTimeout
	StreamClosed
	FrameSizeError
	RefusedStream // the request was not processed: it may be sent again
	Cancel
	CompressionError
	ConnectError
	EnhanceYourCalm
	InadequateSecurity
	HTTP11Required
)

// codeNames are the codes as RFC 9113 writes them.
var codeNames = [...]string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
	"FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
	"INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}

// String is the code as RFC 9113 writes it, or its number.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return strconv.FormatUint(uint64(c), 10)
}

// Error is why a connection, a stream or a call failed. The values are constants of this package and compare with ==.
type Error struct {
	Code   Code   // what the peer is told
	Reason string // for the operator
}

// Error is the reason.
func (e *Error) Error() string { return e.Reason }

// The reasons to end a connection. RFC 9113 names the section in brackets.
var (
	ErrPreface       = &Error{ProtocolError, "bad connection preface"}                           // [3.4]
	ErrFrameSize     = &Error{FrameSizeError, "frame larger than the maximum"}                   // [4.2]
	ErrFrameLength   = &Error{FrameSizeError, "frame of a wrong length"}                         // [6]
	ErrStreamID      = &Error{ProtocolError, "frame on a stream that can't have it"}             // [5.1.1, 6]
	ErrIdle          = &Error{ProtocolError, "frame on an idle stream"}                          // [5.1]
	ErrClosedStream  = &Error{StreamClosed, "header block on a closed stream"}                   // [5.1]
	ErrPadding       = &Error{ProtocolError, "padding longer than its frame"}                    // [6.1]
	ErrContinuation  = &Error{ProtocolError, "header block interrupted, or continued by itself"} // [6.10]
	ErrCompression   = &Error{CompressionError, "bad header block"}                              // [4.3]
	ErrPush          = &Error{ProtocolError, "push promised"}                                    // [8.4]
	ErrSetting       = &Error{ProtocolError, "bad value of a setting"}                           // [6.5.2]
	ErrWindowSetting = &Error{FlowControlError, "initial window too large"}                      // [6.5.2]
	ErrOverflow      = &Error{FlowControlError, "window too large"}                              // [6.9.1]
	ErrIncrement     = &Error{ProtocolError, "window update of zero"}                            // [6.9]
	ErrWindow        = &Error{FlowControlError, "more data than the window allows"}              // [6.9.1]
	ErrDependency    = &Error{ProtocolError, "stream that depends on itself"}                    // RFC 7540 5.3.1
	ErrGoaway        = &Error{ProtocolError, "last stream of GOAWAY went up"}                    // [6.8]
	ErrBlock         = &Error{EnhanceYourCalm, "header block of too many frames or bytes"}       // [10.5.1]
	ErrFlood         = &Error{EnhanceYourCalm, "too many frames that bring nothing"}             // [10.5]
	ErrResets        = &Error{EnhanceYourCalm, "too many streams reset"}                         // [10.5]
	ErrUnread        = &Error{EnhanceYourCalm, "too much output that nobody reads"}              // [10.5]
)

// The reasons to end a stream.
var (
	errHalfClosed     = &Error{StreamClosed, "frame after the end of its stream"}       // [5.1]
	errStreamWindow   = &Error{FlowControlError, "more data than the stream's window"}  // [6.9.1]
	errStreamOverflow = &Error{FlowControlError, "the stream's window too large"}       // [6.9.1]
	errStreamWindowUp = &Error{ProtocolError, "window update of zero on a stream"}      // [6.9]
	errStreamDepends  = &Error{ProtocolError, "stream that depends on itself"}          // RFC 7540 5.3.1
	errStreamPriority = &Error{FrameSizeError, "priority of a wrong length"}            // [6.3]
	errRefused        = &Error{RefusedStream, "more streams than allowed, or draining"} // [5.1.2, 6.8]
	errDataFirst      = &Error{ProtocolError, "data before the head of an answer"}      // [8.1]
	errLengthDiffers  = &Error{ProtocolError, "content-length and data differ"}         // [8.1.1]
	errTrailersGoOn   = &Error{ProtocolError, "trailers that don't end their stream"}   // [8.1]
	errTrailers       = &Error{ProtocolError, "bad trailers"}                           // [8.1]
	errTrailersLarge  = &Error{EnhanceYourCalm, "too many trailers"}                    // [10.5.1]
	errInterims       = &Error{EnhanceYourCalm, "too many interim answers"}             // [8.1]
)

// The reasons why something can't be written.
var (
	ErrBlocked   = &Error{NoError, "too much waits to be sent: Handler.Writable tells when to try again"}
	ErrClosed    = &Error{StreamClosed, "the stream or its connection has ended"}
	ErrBusy      = &Error{RefusedStream, "as many streams as the peer allows"}
	ErrDraining  = &Error{RefusedStream, "the connection takes no new streams"}
	ErrExhausted = &Error{RefusedStream, "no stream numbers left"}
	ErrConnect   = &Error{RefusedStream, "the server takes no extended CONNECT"} // RFC 8441 3
)
