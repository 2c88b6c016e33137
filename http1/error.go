package http1

// Error is why a message is refused. The values are constants of this package and compare with ==.
type Error struct {
	Status int    // what a server answers; a proxy that got it from a target answers 502 instead
	Reason string // for the operator, never for the client
}

// Error is the reason.
func (e *Error) Error() string { return e.Reason }

// The reasons to refuse a message. RFC 9112 names the section in brackets.
var (
	ErrRequestLine      = &Error{400, "bad request line"}                                 // [3]
	ErrMethod           = &Error{400, "bad method"}                                       // [3.1]
	ErrConnect          = &Error{400, "CONNECT is not served"}                            // [3.2.3]
	ErrTarget           = &Error{400, "bad request target"}                               // [3.2]
	ErrTargetTooLong    = &Error{414, "request line too long"}                            // [3]
	ErrScheme           = &Error{400, "https asked for in clear text"}                    // RFC 9110 7.4
	ErrVersion          = &Error{400, "bad HTTP version"}                                 // [2.3]
	ErrVersionMajor     = &Error{505, "HTTP version not supported"}                       // [2.3]
	ErrPreface          = &Error{400, "HTTP/2 connection preface"}                        // RFC 9113 3.4
	ErrStatusLine       = &Error{502, "bad status line"}                                  // [4]
	ErrLineEnd          = &Error{400, "line does not end with CRLF"}                      // [2.2]
	ErrHeadTooLarge     = &Error{400, "head too large"}                                   // VPC Lattice: 60 K
	ErrTooManyFields    = &Error{400, "too many fields"}                                  // VPC Lattice: 100
	ErrFieldTooLong     = &Error{400, "field line too long"}                              //
	ErrFieldName        = &Error{400, "bad field name"}                                   // [5.1]
	ErrFieldValue       = &Error{400, "bad field value"}                                  // [5.5]
	ErrFolding          = &Error{400, "folded field line"}                                // [5.2]
	ErrHost             = &Error{400, "missing, repeated or bad Host"}                    // [3.2]
	ErrLength           = &Error{400, "bad Content-Length"}                               // [6.3]
	ErrConfusable       = &Error{400, "a name like Content-Length or Transfer-Encoding"}  // [11.2]
	ErrLengthRepeated   = &Error{400, "repeated Content-Length"}                          // [6.3]
	ErrLengthEnded      = &Error{400, "Content-Length with a body that has ended"}        // RFC 9113 8.1.1
	ErrLengthAndCoding  = &Error{400, "both Content-Length and Transfer-Encoding"}        // [6.1]
	ErrCoding           = &Error{400, "bad Transfer-Encoding"}                            // [6.1]
	ErrCodingUnknown    = &Error{501, "transfer coding not served"}                       // [6.1]
	ErrCodingRepeated   = &Error{400, "repeated Transfer-Encoding"}                       // [6.1]
	ErrCodingVersion    = &Error{400, "Transfer-Encoding in HTTP/1.0"}                    // [6.1]
	ErrExpect           = &Error{417, "unknown expectation"}                              // RFC 9110 10.1.1
	ErrMaxForwards      = &Error{400, "bad Max-Forwards"}                                 // RFC 9110 7.6.2
	ErrLastHop          = &Error{501, "Max-Forwards lets the request go no further"}      // RFC 9110 7.6.2
	ErrChunkSize        = &Error{400, "bad chunk size"}                                   // [7.1]
	ErrChunkExtension   = &Error{400, "bad or too long chunk extension"}                  // [7.1.1]
	ErrChunkEnd         = &Error{400, "chunk data does not end with CRLF"}                // [7.1]
	ErrTrailerTooLarge  = &Error{400, "trailer section too large"}                        // [7.1.2]
	ErrSwitchedProtocol = &Error{502, "protocol switched without a request to switch it"} // RFC 9110 15.2.2
)
