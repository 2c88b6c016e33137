package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// haproxyConf is the configuration, and its map from path prefixes to names of rules or backends: fifty prefixes with
// the split and five header rules, or n prefixes that have a backend each, and with extra a rule for /new/.
func haproxyConf(dir, addr string, s shape, extra bool) (conf, routes string) {
	switch s.clients {
	case passed:
		return haproxyPassing(addr), ""
	case carried:
		return haproxyCarrying(addr), ""
	}
	var b, m strings.Builder
	n, bind, server := s.routes, "", ""
	switch s.clients {
	case multiplexed:
		bind = " proto h2"
	case secured:
		bind = " ssl crt " + dir + "/listener.pem alpn http/1.1"
	}
	if s.targets == multiplexed {
		server = " proto h2"
	}
	fmt.Fprintf(&b, `global
 log stdout format raw local0
 nbthread 1
 maxconn 11000
 no strict-limits
 stats socket %[1]s/haproxy.sock mode 600 level admin expose-fd listeners
defaults
 mode http
 log global
 log-format '{"requestId":"%%[capture.req.hdr(2)]","startTime":"%%tr","source":"%%ci:%%cp","method":"%%HM","path":"%%HU","protocol":"%%HV","status":%%ST,"received":%%U,"sent":%%B,"duration":%%Ta,"userAgent":"%%[capture.req.hdr(1)]","host":"%%[capture.req.hdr(0)]","target":"%%si:%%sp","targetDuration":%%Tr,"targetGroup":"%%b","rule":"%%[var(txn.rule)]","channel":"%%[capture.req.hdr(3)]"}'
 option http-keep-alive
 option forwardfor
 option splice-auto
 http-reuse always
 timeout connect 5s
 timeout client 600s
 timeout server 60s
 timeout http-keep-alive 600s
frontend f
 bind %[2]s backlog 16384%[3]s
 http-request capture req.hdr(host) len 128
 http-request capture req.hdr(user-agent) len 64
 http-request capture req.hdr(x-request-id) len 64
 http-request capture req.hdr(x-release-channel) len 32
`, dir, addr, bind)
	if n == 0 {
		fmt.Fprintf(&b, " http-request set-var(txn.rule) path,map_beg(%s/haproxy.map)\n http-request deny deny_status 404 if !{ var(txn.rule) -m found }\n", dir)
		for i := range 5 {
			fmt.Fprintf(&b, " use_backend tg_1 if { req.hdr(x-release-channel) -m str canary%d }\n", i)
		}
		b.WriteString(" use_backend tg_1 if { rand(100) lt 10 }\n default_backend tg_0\n")
		for i := range 50 {
			fmt.Fprintf(&m, "/svc%05d/ r%02d\n", i, i)
		}
	} else {
		fmt.Fprintf(&b, " use_backend %%[path,map_beg(%s/haproxy.map)]\n default_backend none\nbackend none\n http-request deny deny_status 404\n", dir)
	}
	fmt.Fprintf(&b, "backend tg_0\n server s %[1]s pool-max-conn 512%[3]s\nbackend tg_1\n server s %[2]s pool-max-conn 512%[3]s\n", targets[0], targets[1], server)
	for i := range n {
		fmt.Fprintf(&b, "backend u%05d\n server s %s\n", i, targets[i%2])
		fmt.Fprintf(&m, "/svc%05d/ u%05d\n", i, i)
	}
	if extra {
		m.WriteString("/new/ tg_0\n")
	}
	return b.String(), m.String()
}

// haproxyPassing is the configuration of passing TLS through by the name in the ClientHello.
func haproxyPassing(addr string) string {
	return fmt.Sprintf(`global
 log stdout format raw local0
 nbthread 1
 maxconn 11000
 no strict-limits
defaults
 mode tcp
 log global
 log-format '{"startTime":"%%t","source":"%%ci:%%cp","received":%%U,"sent":%%B,"duration":%%Tt,"serverName":"%%[capture.req.hdr(0)]","target":"%%si:%%sp","targetGroup":"%%b"}'
 option splice-auto
 timeout connect 5s
 timeout client 600s
 timeout server 600s
frontend f
 bind %[1]s backlog 16384
 tcp-request inspect-delay 5s
 tcp-request content capture req.ssl_sni len 128
 tcp-request content accept if { req.ssl_hello_type 1 }
 tcp-request content reject
 use_backend tg_1 if { req.ssl_sni -i %[4]s } { rand(100) lt 10 }
 use_backend tg_0 if { req.ssl_sni -i %[4]s }
backend tg_0
 server s %[2]s
backend tg_1
 server s %[3]s
`, addr, targets[0], targets[1], passedName)
}

// haproxyCarrying is the configuration of carrying connections to a target, whatever they are about.
func haproxyCarrying(addr string) string {
	return fmt.Sprintf(`global
 log stdout format raw local0
 nbthread 1
 maxconn 11000
 no strict-limits
defaults
 mode tcp
 log global
 log-format '{"startTime":"%%t","source":"%%ci:%%cp","received":%%U,"sent":%%B,"duration":%%Tt,"target":"%%si:%%sp"}'
 option splice-auto
 timeout connect 5s
 timeout client 600s
 timeout server 600s
listen f
 bind %s backlog 16384
 server s %s
`, addr, targets[0])
}

// writeHAProxy writes the two files.
func writeHAProxy(b *bench, c *contestant, s shape, extra bool) (string, error) {
	conf, routes := haproxyConf(b.dir, c.addr(), s, extra)
	if _, err := b.write("haproxy.map", routes); err != nil {
		return "", err
	}
	if s.clients == secured {
		if _, err := b.certificates.write(b); err != nil {
			return "", err
		}
	}
	return b.write("haproxy.cfg", conf)
}

// startHAProxy starts one thread; behind a master when changes are to come, which reloads need.
func startHAProxy(b *bench, c *contestant, s shape) ([]*process, error) {
	file, err := writeHAProxy(b, c, s, false)
	if err != nil {
		return nil, err
	}
	mode := "-db"
	if s.routes > 0 {
		mode = "-W"
	}
	p, err := start(program{core: proxyCore, name: "haproxy", args: []string{mode, "-f", file}, stdout: b.dir + "/haproxy.log"})
	return one(p), err
}

// reloadHAProxy is how HAProxy takes any change: a new worker takes the listening sockets over.
func reloadHAProxy(b *bench, c *contestant, s shape, ps []*process) (func() error, error) {
	if _, err := writeHAProxy(b, c, s, true); err != nil {
		return nil, err
	}
	return func() error { return ps[0].cmd.Process.Signal(syscall.SIGUSR2) }, nil
}

// mapHAProxy is how HAProxy takes a rule for a backend that it has already: an entry of its map, by the runtime API.
func mapHAProxy(b *bench, _ *contestant, _ shape, _ []*process) (func() error, error) {
	return func() error {
		c, err := net.Dial("unix", b.dir+"/haproxy.sock")
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := fmt.Fprintf(c, "add map %s/haproxy.map /new/ tg_0\n", b.dir); err != nil {
			return err
		}
		if said, err := io.ReadAll(c); err != nil || strings.TrimSpace(string(said)) != "" {
			return errors.Join(err, fmt.Errorf("HAProxy said %q", said))
		}
		return nil
	}, nil
}
