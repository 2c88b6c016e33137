package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// call is what a client saw of one request. Clients in all languages write it to standard output, one JSON object a
// line, and the judge says whether it may be so. The client has compared the body and the nonce itself.
type call struct {
	ID      string `json:"id,omitempty"` // of a probe's job
	Client  string `json:"client"`       // who called: go, signed, odd, curl, python, node, probe
	Service string `json:"service"`      // what it is called in the world
	Case    string `json:"case"`         // which kind of request
	Want    string `json:"want"`         // the target that the request names in x-want, empty for any
	Rule    int    `json:"rule"`         // of the service shift: which rule's path it had, from 1; 0 for none
	Start   int64  `json:"start"`        // Unix nanoseconds, before the first byte was sent
	Born    int64  `json:"born"`         // Unix nanoseconds, when its connection was made; 0 when it is not known
	End     int64  `json:"end"`          // Unix nanoseconds, after the last byte of the answer
	Status  int    `json:"status"`       // 0 when no answer came
	From    string `json:"from"`         // the target that answered, empty for an answer of Trellis itself
	Err     string `json:"err"`          // one of the err constants
	Text    string `json:"text"`         // what to debug with: the error, the connection, the last bytes
}

// What may be wrong with a call.
const (
	errNone    = ""
	errWrong   = "wrong"   // an answer that belongs to another request, or a body with other bytes: never to be excused
	errCut     = "cut"     // the body ended too early, and it showed
	errReset   = "reset"   // the connection was reset
	errClosed  = "closed"  // the connection was closed before an answer
	errTimeout = "timeout" // no answer in time
	errRefused = "refused" // nobody listened
	errResolve = "resolve" // the name was not found
	errOther   = "other"
)

// classify says which kind of failure an error is. Body tells that the head of an answer was there already.
func classify(err error, body bool) string {
	var timeout net.Error
	var name *net.DNSError
	switch {
	case err == nil:
		return errNone
	case errors.As(err, &name):
		return errResolve
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return errTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return errRefused
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errCut
	case body && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)):
		return errCut
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return errReset
	}
	for _, known := range []struct{ text, kind string }{ // net/http exports no such errors
		{"server closed idle connection", errClosed}, {"GOAWAY", errClosed}, {"client connection lost", errClosed}, {"client conn", errClosed}, {"stream error: ", errReset},
	} {
		if strings.Contains(err.Error(), known.text) {
			if body {
				return errCut
			}
			return known.kind
		}
	}
	if errors.Is(err, io.EOF) {
		return errClosed
	}
	return errOther
}

// reporter writes calls to standard output.
type reporter struct {
	mu  sync.Mutex
	enc *json.Encoder
}

// newReporter returns a reporter that writes to w.
func newReporter(w io.Writer) *reporter { return &reporter{enc: json.NewEncoder(w)} }

// report writes one call.
func (r *reporter) report(c *call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.enc.Encode(c) != nil {
		os.Exit(0) // nobody listens any more
	}
}

// stopwatch begins a call.
func stopwatch(client, service, kind, want string) *call {
	return &call{Client: client, Service: service, Case: kind, Want: want, Start: time.Now().UnixNano()}
}

// fail notes a failure.
func (c *call) fail(kind, format string, a ...any) {
	c.Err, c.Text = kind, fmt.Sprintf(format, a...)
}

// pattern is the body that belongs to a nonce: lines of the nonce and a number, so that bytes of another answer, or
// this one's in another order, are never the same. All targets make it, all clients check it.
type pattern struct {
	nonce string
	left  int64
	line  int
	have  []byte
}

// newPattern is a reader of n bytes.
func newPattern(nonce string, n int64) *pattern { return &pattern{nonce: nonce, left: n} }

// Read gives the next bytes.
func (p *pattern) Read(b []byte) (n int, err error) {
	for n < len(b) {
		if p.left == 0 {
			return n, io.EOF
		}
		if len(p.have) == 0 {
			p.have = fmt.Appendf(p.have[:0], "%s %d\n", p.nonce, p.line)
			p.line++
		}
		m := copy(b[n:], p.have[:min(int64(len(p.have)), p.left)])
		p.have, p.left, n = p.have[m:], p.left-int64(m), n+m
	}
	return n, nil
}

// check is a writer that compares what comes with a pattern.
type check struct {
	want *pattern
	n    int64  // bytes that should come
	at   int64  // bytes that came
	bad  string // the first difference, empty while there is none
	tail []byte // the last bytes that came
}

// newCheck wants the pattern of a nonce.
func newCheck(nonce string, n int64) *check { return &check{want: newPattern(nonce, n), n: n} }

// Write compares. It never fails: what is wrong is told by verdict.
func (k *check) Write(b []byte) (int, error) {
	if k.bad == "" {
		want := make([]byte, len(b))
		n, _ := io.ReadFull(k.want, want)
		if !bytes.Equal(want[:n], b) {
			i := 0
			for i < n && want[i] == b[i] {
				i++
			}
			k.bad = fmt.Sprintf("byte %d: %.60q in place of %.60q", k.at+int64(i), b[i:], want[i:n])
		}
	}
	k.at += int64(len(b))
	k.tail = append(k.tail[:0], b[max(0, len(b)-40):]...)
	return len(b), nil
}

// verdict is what is wrong with the body, empty when it is whole.
func (k *check) verdict() string {
	if k.bad == "" && k.at < k.n {
		return fmt.Sprintf("the body ends after %d of %d bytes and nothing shows it; last bytes %q", k.at, k.n, k.tail)
	}
	return k.bad
}

// sum is the answer to an upload: its checksum and length.
func sum(r io.Reader) (string, error) {
	h := crc32.NewIEEE()
	n, err := io.Copy(h, r)
	return fmt.Sprintf("%08x %d\n", h.Sum32(), n), err
}

// sumOf is the answer that the upload of a pattern must get.
func sumOf(nonce string, n int64) string {
	s, _ := sum(newPattern(nonce, n)) // a pattern does not fail
	return s
}
