package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Targets in all languages answer the same paths, and say in X-From who they are and in X-Nonce which request it is:
//
//	/echo?n=NONCE&size=N   the nonce's pattern; &ms= later, &chunked=1, &close=1, &pieces=K with a pause between them
//	/sum?n=NONCE           checksum and length of the body that came
//	/code?n=NONCE&code=C   an answer without a body
//	/hints?n=NONCE         a 103 before the answer
//	/early?n=NONCE         413 before the body was read
//	/odd?n=NONCE&mode=M    what only the raw target does; see oddAnswer
//	/healthz               200

// query are the parameters of a request to a target.
type query struct{ url.Values }

// number is a numeric parameter.
func (q query) number(name string) int64 {
	n, _ := strconv.ParseInt(q.Get(name), 10, 64) // absent is 0
	return n
}

// goTarget is the target of Go's net/http. corrupt makes it change one byte of the given answer, counted from 1: the
// soak's own test proves by it that the soak can fail.
type goTarget struct {
	name    string
	corrupt int
	served  int // answers of /echo, guarded by being counted through turn
	turn    chan struct{}
}

// newGoTarget returns a handler.
func newGoTarget(name string, corrupt int) *goTarget {
	return &goTarget{name: name, corrupt: corrupt, turn: make(chan struct{}, 1)}
}

// ServeHTTP answers.
func (g *goTarget) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := query{r.URL.Query()}
	h := w.Header()
	h.Set("X-From", g.name)
	h.Set("X-Nonce", q.Get("n"))
	if id := r.Header.Get("X-Amzn-Lattice-Identity"); id != "" {
		h.Set("X-Saw-Identity", id)
	}
	if q.Get("close") != "" {
		h.Set("Connection", "close")
	}
	switch r.URL.Path[strings.LastIndexByte(r.URL.Path, '/'):] { // what rules match comes before it
	case "/healthz":
		io.WriteString(w, "ok\n")
	case "/sum":
		s, err := sum(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, s)
	case "/code":
		w.WriteHeader(int(q.number("code")))
	case "/hints":
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, "hinted\n")
	case "/early":
		h.Set("Connection", "close")
		http.Error(w, "too much", http.StatusRequestEntityTooLarge)
	default:
		g.echo(w, q)
	}
}

// echo answers the nonce's pattern.
func (g *goTarget) echo(w http.ResponseWriter, q query) {
	time.Sleep(time.Duration(q.number("ms")) * time.Millisecond)
	size := q.number("size")
	if q.Get("chunked") == "" {
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	}
	var body io.Reader = newPattern(q.Get("n"), size)
	g.turn <- struct{}{}
	if g.served++; g.served == g.corrupt && size > 0 {
		body = io.MultiReader(strings.NewReader("!"), &skip{Reader: body})
	}
	<-g.turn
	pieces := max(q.number("pieces"), 1)
	for range pieces {
		io.CopyN(w, body, size/pieces)
		if pieces > 1 {
			http.NewResponseController(w).Flush()
			time.Sleep(20 * time.Millisecond)
		}
	}
	io.Copy(w, body)
}

// skip leaves out the first byte of a reader.
type skip struct {
	io.Reader
	done bool
}

// Read reads on.
func (s *skip) Read(b []byte) (int, error) {
	if !s.done {
		s.done = true
		if _, err := io.ReadFull(s.Reader, make([]byte, 1)); err != nil {
			return 0, err
		}
	}
	return s.Reader.Read(b)
}

// rawTarget answers on sockets, with behaviours that no decent server has.
type rawTarget struct{ name string }

// serve takes connections.
func (t rawTarget) serve(ln net.Listener) error {
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go t.converse(c.(*net.TCPConn))
	}
}

// converse serves the requests of a connection.
func (t rawTarget) converse(c *net.TCPConn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		c.SetReadDeadline(time.Now().Add(70 * time.Second))
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		q := query{req.URL.Query()}
		head := "X-From: " + t.name + "\r\nX-Nonce: " + q.Get("n") + "\r\n"
		switch {
		case req.URL.Path == "/odd":
			if !oddAnswer(c, req, q, head) {
				return
			}
			continue
		case req.URL.Path == "/healthz":
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			return
		case req.URL.Path == "/sum":
			s, err := sum(req.Body)
			if err != nil {
				return
			}
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", head, len(s), s)
		default:
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n", head, q.number("size"))
			io.Copy(c, newPattern(q.Get("n"), q.number("size")))
		}
		io.Copy(io.Discard, req.Body)
	}
}

// oddAnswer answers in one of the odd ways. It returns whether the connection goes on.
func oddAnswer(c *net.TCPConn, req *http.Request, q query, head string) bool {
	size := q.number("size")
	b, _ := io.ReadAll(newPattern(q.Get("n"), size)) // a pattern does not fail
	body := string(b)
	whole := fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", head, size, body)
	switch q.Get("mode") {
	case "reset-after": // a whole answer, then a reset in place of an end
		io.WriteString(c, whole)
		c.SetLinger(0)
	case "half-close": // a whole answer, then an end of sending that nothing announced
		io.WriteString(c, whole)
		c.CloseWrite()
		io.Copy(io.Discard, c)
	case "until-close":
		io.WriteString(c, "HTTP/1.1 200 OK\r\n"+head+"\r\n"+body)
	case "version-1.0":
		io.WriteString(c, "HTTP/1.0 200 OK\r\n"+head+"\r\n"+body)
	case "truncated": // the length promises more
		io.WriteString(c, fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", head, size+1000, body))
	case "truncated-chunks": // the last chunk is missing
		io.WriteString(c, fmt.Sprintf("HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", head, size, body))
	case "garbage":
		io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n\r\n")
	case "hang-up": // no answer at all
	case "extra": // bytes after the answer, in the same packet
		io.WriteString(c, whole+"HTTP/1.1 200 OK\r\nX-Nonce: stray\r\nContent-Length: 0\r\n\r\n")
		time.Sleep(50 * time.Millisecond)
	case "slow-head": // one byte at a time
		for i := range whole[:min(len(whole), 120)] {
			io.WriteString(c, whole[i:i+1])
			time.Sleep(time.Millisecond)
		}
		io.WriteString(c, whole[min(len(whole), 120):])
		return true
	case "many-hints":
		io.WriteString(c, strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n", 5)+whole)
		return true
	case "big-head":
		io.WriteString(c, strings.Replace(whole, "\r\n", "\r\n"+strings.Repeat("X-Big: "+strings.Repeat("x", 3000)+"\r\n", 12), 1))
		return true
	case "early-close": // an answer before the body, and the end
		io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\n"+head+"Connection: close\r\nContent-Length: 0\r\n\r\n")
		time.Sleep(20 * time.Millisecond)
	case "odd-chunks":
		io.WriteString(c, "HTTP/1.1 200 OK\r\n"+head+"Transfer-Encoding: chunked\r\n\r\n")
		for i := 0; len(body) > 0; i++ {
			n := min(len(body), 1+i*37%900)
			fmt.Fprintf(c, "%X;x=y\r\n%s\r\n", n, body[:n])
			body = body[n:]
		}
		io.WriteString(c, "0\r\nX-Trailer: t\r\n\r\n")
		return true
	}
	return false
}

// playTarget is the role of a Go target in an instance: SOAK_LISTEN and SOAK_NAME say where and who.
func playTarget(kind string) error {
	ln, err := net.Listen("tcp", os.Getenv("SOAK_LISTEN"))
	if err != nil {
		return err
	}
	switch name := os.Getenv("SOAK_NAME"); kind {
	case "raw":
		return rawTarget{name}.serve(ln)
	case "web":
		return serveWeb(ln, name)
	case "lines":
		return serveLines(ln, name)
	}
	corrupt, _ := strconv.Atoi(os.Getenv("SOAK_CORRUPT")) // absent is never
	srv := &http.Server{Handler: newGoTarget(os.Getenv("SOAK_NAME"), corrupt), ReadHeaderTimeout: 10 * time.Second}
	return srv.Serve(ln)
}
