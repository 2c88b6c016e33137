package main

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// startTarget runs a target, until the test program ends, and returns its address.
func startTarget(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	go func() { t.Error(run([]string{addr})) }() // returns when it fails
	for limit := time.Now().Add(10 * time.Second); ; {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return addr
		}
		if time.Now().After(limit) {
			t.Fatal(err)
		}
	}
}

// TestSpeeches has one target answer HTTP/2, gRPC and HTTP/1.1, and pour bytes after a ClientHello.
func TestSpeeches(t *testing.T) {
	addr := startTarget(t)
	h2 := &http.Transport{Protocols: new(http.Protocols)}
	h2.Protocols.SetUnencryptedHTTP2(true)
	defer h2.CloseIdleConnections()
	for name, c := range map[string]struct {
		transport  http.RoundTripper
		path, kind string
		want       []byte
		status     string // of gRPC
	}{
		"HTTP/1.1":         {http.DefaultTransport, "/x", "", small, ""},
		"HTTP/2":           {h2, "/x", "", small, ""},
		"gRPC":             {h2, "/x", "application/grpc", message, "0"},
		"a stream of gRPC": {h2, "/stream/2000", "application/grpc", bytes.Repeat(message, 2000), "0"},
	} {
		t.Run(name, func(t *testing.T) {
			method, body := "GET", io.Reader(nil)
			if c.kind != "" {
				method, body = "POST", bytes.NewReader(message)
			}
			req, err := http.NewRequest(method, "http://"+addr+c.path, body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", c.kind)
			resp, err := c.transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 200 || !bytes.Equal(got, c.want) || resp.Trailer.Get("Grpc-Status") != c.status {
				t.Errorf("%d, %d bytes, trailers %v, %v", resp.StatusCode, len(got), resp.Trailer, err)
			}
		})
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	tls.Client(c, &tls.Config{ServerName: "x"}).Handshake() // what comes is no TLS
	if n, err := io.CopyN(io.Discard, c, 3<<20); err != nil {
		t.Errorf("%d bytes after a ClientHello, %v", n, err)
	}
}
