package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// startTrellis starts bench/plane.
func startTrellis(b *bench, c *contestant, s shape) ([]*process, error) {
	os.Remove(controlSocket(b))
	args := []string{"-listen", c.addr(), "-target", targets[0], "-other", targets[1], "-source", sourceIP, "-log", b.dir + "/trellis.log",
		"-control", controlSocket(b), "-accelerate", c.legs, "-instance", clientIP, "-instance", targetIP}
	if c.signed != "" {
		args = append(args, "-auth")
	}
	switch s.clients {
	case secured:
		file, err := b.certificates.write(b)
		if err != nil {
			return nil, err
		}
		args = append(args, "-protocol", "HTTPS", "-certificate", file)
	case passed:
		args = append(args, "-protocol", "TLS_PASSTHROUGH")
	case carried:
		args = append(args, "-protocol", "TCP")
	}
	if s.targets == multiplexed {
		args = append(args, "-version", "HTTP2")
	}
	if s.routes > 0 && c.hosts {
		args = append(args, "-services", strconv.Itoa(s.routes))
	} else if s.routes > 0 {
		args = append(args, "-rules", strconv.Itoa(s.routes), "-own")
	}
	if b.profiles != "" {
		b.profiled++
		args = append(args, "-profile", fmt.Sprintf("%s/%s-%d.prof", b.profiles, c.name, b.profiled))
	}
	p, err := start(program{core: proxyCore, name: b.tools.Plane, args: args})
	return one(p), err
}

// controlSocket is where bench/plane takes changes.
func controlSocket(b *bench) string { return b.dir + "/plane.sock" }

// control asks bench/plane for something.
func control(b *bench, method, path string) (string, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", controlSocket(b))
	}}}
	req, err := http.NewRequest(method, "http://plane"+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the data plane answered %s: %s", resp.Status, text)
	}
	return strings.TrimSpace(string(text)), nil
}

// changeTrellis adds a rule, or a service with a target group, as a revision of the store would.
func changeTrellis(what string) changing {
	return func(b *bench, _ *contestant, _ shape, _ []*process) (func() error, error) {
		return func() error {
			_, err := control(b, http.MethodPost, what)
			return err
		}, nil
	}
}
