package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/trellis-project/trellis"
)

// control takes changes on a Unix socket until ctx is done. An answer comes when the change is live.
func (p *plane) control(ctx context.Context, path string, w world) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /rule", func(http.ResponseWriter, *http.Request) {
		p.change(func(st *trellis.State) { st.Put(w.newRule()) })
	})
	mux.HandleFunc("POST /service", func(http.ResponseWriter, *http.Request) {
		p.change(func(st *trellis.State) { put(st, w.service("new", w.targets[0])) })
	})
	mux.HandleFunc("GET /text", func(out http.ResponseWriter, _ *http.Request) {
		n, err := w.textPerService()
		if err != nil {
			http.Error(out, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(out, n)
	})
	ln, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	s := &http.Server{Handler: mux}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// textPerService is how many bytes of text one of the further services is, or with -own one of the rules with its
// target group: what memory can't be below.
func (w world) textPerService() (int, error) {
	nouns := w.service("svc00000", w.targets[0])
	if w.options.own {
		nouns = w.pathRule(0)
	}
	sum := 0
	for _, n := range nouns {
		text, err := json.Marshal(n)
		if err != nil {
			return 0, err
		}
		sum += len(text)
	}
	return sum, nil
}
