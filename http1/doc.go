// Package http1 reads and writes HTTP/1.1 messages without I/O and without allocation.
//
// ParseRequest and ParseResponse read one head in place: the strings of a Head are views of the caller's
// buffer and live as long as its bytes do. Body tells where a body ends, piece by piece, so that a proxy
// passes the bytes on as they came. AppendFields writes the fields of a head that may go to the next hop.
//
// What is ambiguous is refused and never repaired (RFC 9112 sections 3, 5, 6 and 7): an Error has the
// status that a server answers with, after which the connection closes.
package http1
