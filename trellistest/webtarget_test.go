package trellistest

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
)

// serveWeb is the process of a target that speaks HTTP/1.1 and HTTP/2: it tells what it got, sends as many bytes as it is
// asked for, or breaks off.
func serveWeb(listen string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		n, err := io.Copy(h, r.Body)
		if err == nil {
			fmt.Fprintf(w, "%s %d %x", r.Proto, n, h.Sum(nil)[:4])
		}
	})
	zeros := func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.PathValue("n"))
		for piece := make([]byte, 1<<20); n > 0; n-- {
			w.Write(piece)
		}
	}
	cut := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	mux.HandleFunc("/page/{$}", servePage)
	mux.HandleFunc("/page/echo", serveSocket)
	for _, at := range []string{"", "/two"} {
		mux.HandleFunc(at+"/zeros/{n}", zeros)
		mux.HandleFunc(at+"/cut", cut)
	}
	s := &http.Server{Addr: listen, Handler: mux, Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s.ListenAndServe()
}

// silence is how long a WebSocket has nothing to say before its target speaks: longer than a connection is kept at hand.
const silence = 3 * time.Second

// serveSocket is the end of a WebSocket that says what it hears, and something of its own after a while when it is asked to.
func serveSocket(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	for {
		kind, text, err := c.ReadMessage()
		if err != nil {
			return
		}
		if string(text) == "after a while" {
			<-time.After(silence)
			text = []byte("still here")
		}
		if c.WriteMessage(kind, text) != nil {
			return
		}
	}
}

// servePage is a page that a browser opens.
func servePage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(w, "<!doctype html><title>a page of a service</title>")
}
