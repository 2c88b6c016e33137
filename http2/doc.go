// Package http2 speaks HTTP/2 without I/O, as a server and as a client (RFC 9113, 7541, 8441).
//
// A Conn is one connection. Its owner hands it the bytes that came (Receive) and sends what it has written (Pending,
// Sent); a Handler is told what came. Frames of many streams so leave in one write. One Conn belongs to one event loop:
// there is no lock, no goroutine and no clock in it, and nothing waits; what can't be written now is told by
// Handler.Writable once it can.
//
// A server is told of a request by Handler.Head, writes the head of its answer with Stream.Answer (fields, then Send) and
// the body with WriteData, says by Consumed what has become of the request's body, and gives the stream back with
// Release. A client begins with Conn.Open instead, and is told of the answer by the same Head, Data and Trailers.
//
// Heads are http1.Heads, by http1's rules: whatever is passed on as HTTP/1.1 was checked as if it had come so, and as
// RFC 9113 8 demands besides. What is malformed is refused and never repaired.
//
// All that a peer can make a Conn hold or do is bounded: header blocks, streams, windows, bytes that wait to be sent, and
// by budgets that useful work fills again, frames that bring nothing (budget.go).
package http2
