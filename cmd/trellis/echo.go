package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

// echoCommand is `trellis echo`: a target for labs that answers what it was asked.
func echoCommand() *cobra.Command {
	var listen, name string
	cmd := &cobra.Command{
		Use:   "echo",
		Short: "Run a target for labs: it answers its name and the request that it saw",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := net.ResolveTCPAddr("tcp", listen); err != nil {
				return usage(fmt.Errorf("--listen %q: want address:port, for example :8080", listen))
			}
			srv := &http.Server{Addr: listen, Handler: echo(name), ReadHeaderTimeout: 10 * time.Second}
			stop := context.AfterFunc(cmd.Context(), func() { srv.Close() })
			defer stop()
			if err := srv.ListenAndServe(); err != http.ErrServerClosed {
				return fmt.Errorf("%w; choose another address with --listen", err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&listen, "listen", ":8080", "address to listen at")
	cmd.Flags().StringVar(&name, "name", "echo", "the first line of every answer")
	return cmd
}

// echo answers its name, then the request line and headers, then the body. /healthz is 200 without more.
func echo(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, name)
		if r.URL.Path == "/healthz" {
			return
		}
		fmt.Fprintf(w, "%s %s %s\nHost: %s\n", r.Method, r.RequestURI, r.Proto, r.Host)
		var names []string
		for n := range r.Header {
			names = append(names, n)
		}
		slices.Sort(names)
		for _, n := range names {
			for _, v := range r.Header[n] {
				fmt.Fprintf(w, "%s: %s\n", n, v)
			}
		}
		fmt.Fprintln(w)
		io.Copy(w, io.LimitReader(r.Body, 1<<20))
	})
}
