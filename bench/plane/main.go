// Command plane is Trellis' data plane alone, on a plain socket, for comparisons: one service with fifty path
// rules and five header rules in front of one target, with its access log written to a file.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	_ "net/http/pprof"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/accesslog"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/dataplane"
	"github.com/trellis-project/trellis/routing"
	"github.com/trellis-project/trellis/sigv4"
	"github.com/trellis-project/trellis/targetgroup"
)

// What the nouns of the comparison are called. Package bench signs for the same key and host.
const (
	region  = "eu-west-1"
	account = "444455556666"
	vpcID   = "vpc-0aaaaaaaaaaaaaaaa"
	netID   = "sn-0bbbbbbbbbbbbbbbb"
	svcID   = "svc-0cccccccccccccccc"
	lisID   = "listener-0dddddddddddddddd"
	groupID = "tg-0eeeeeeeeeeeeeeee"
	keyID   = "AKIABENCH00000000000"
	secret  = "the-secret-of-the-benchmark"
	slot    = 32
	port    = 80
)

// policy is the auth policy of the network and of the service when -auth is set.
const policy = `{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*",
  "Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-abcdefghij","vpc-lattice-svcs:RequestMethod":["GET","POST"]}}},
 {"Effect":"Deny","Principal":"*","Action":"vpc-lattice-svcs:Invoke","Resource":"*",
  "Condition":{"StringEquals":{"aws:PrincipalType":"Anonymous"}}}]}`

// main reads the flags.
func main() {
	listen := flag.String("listen", "127.0.0.1:9400", "address to listen on")
	target := flag.String("target", "127.0.0.1:9401", "address of the target")
	logFile := flag.String("log", os.DevNull, "file for the access log")
	auth := flag.Bool("auth", false, "authorize callers on the network and the service")
	debug := flag.String("pprof", "", "address of net/http/pprof")
	flag.Parse()
	if *debug != "" {
		go func() { log.Print(http.ListenAndServe(*debug, nil)) }() // ends with the process
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, *listen, *target, *logFile, *auth); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx is done.
func run(ctx context.Context, listen, target, logFile string, auth bool) error {
	to, err := netip.ParseAddrPort(target)
	if err != nil {
		return fmt.Errorf("target address: %w", err)
	}
	out, err := os.Create(logFile)
	if err != nil {
		return fmt.Errorf("create access log: %w", err)
	}
	defer out.Close()
	st := state(to, auth)
	groups := targetgroup.New(targetgroup.Options{Region: region, Health: func(trellis.TargetHealth) {}})
	groups.Apply(st)
	var batch []byte
	rows := accesslog.New(accesslog.Options{Region: region, Deliver: func(_ context.Context, _ string, rows []accesslog.Row) error {
		// One destination, so one delivery at a time: the buffer is its own.
		batch = batch[:0]
		for _, r := range rows {
			batch = append(append(batch, r.JSON...), '\n')
		}
		_, err := out.Write(batch)
		return err
	}})
	rows.Apply(st)
	table := routing.Build(st, routing.Options{Region: region}, nil)
	caller, key, err := identity()
	if err != nil {
		return err
	}
	server := dataplane.New(dataplane.Options{Region: region, Groups: groups, Log: rows.Emit,
		Table: func() *routing.Table { return table },
		Callers: func(id, _ string) (*authpolicy.Caller, *sigv4.Key, error) {
			if id != keyID {
				return nil, nil, trellis.NewError(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
			}
			return caller, key, nil
		}})
	socket, err := listenAt(listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return groups.Run(ctx) })
	g.Go(func() error { return rows.Run(ctx) })
	g.Go(func() error { return server.Run(ctx) })
	g.Go(func() error { return server.Serve(ctx, socket, vpcID, slot, port) })
	return g.Wait()
}

// listenAt makes the listening socket.
func listenAt(address string) (int, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	for _, o := range [][2]int{{unix.SOL_SOCKET, unix.SO_REUSEADDR}, {unix.IPPROTO_TCP, unix.TCP_NODELAY}} {
		if err := unix.SetsockoptInt(fd, o[0], o[1], 1); err != nil {
			return -1, err
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		return -1, err
	}
	return fd, unix.Listen(fd, 4096)
}

// identity is the one caller that there is.
func identity() (*authpolicy.Caller, *sigv4.Key, error) {
	p, err := authpolicy.Parse(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"vpc-lattice-svcs:Invoke","Resource":"*"}]}`, authpolicy.Identity)
	if err != nil {
		return nil, nil, fmt.Errorf("identity policy: %w", err)
	}
	return &authpolicy.Caller{Identity: []*authpolicy.Policy{p}, Principal: trellis.Principal{Type: trellis.PrincipalAssumedRole, Account: account,
		ARN: "arn:aws:sts::444455556666:assumed-role/checkout/s1", PolicyARN: "arn:aws:iam::444455556666:role/checkout",
		SessionName: "s1", OrgID: "o-abcdefghij", OrgPath: "o-abcdefghij/r-abcd/"}}, sigv4.NewKey(secret), nil
}

// state is the nouns of the comparison.
func state(target netip.AddrPort, auth bool) *trellis.State {
	meta := func(id string) trellis.Meta { return trellis.Meta{Account: account, ID: id} }
	ref := func(id string) trellis.Ref { return trellis.Ref{Account: account, ID: id} }
	forward := trellis.Action{Forward: []trellis.WeightedTargetGroup{{TargetGroupID: groupID, Weight: 100}}}
	kind := trellis.AuthNone
	if auth {
		kind = trellis.AuthIAM
	}
	st := trellis.NewState()
	st.Put(&trellis.VPC{Meta: meta(vpcID), CIDR: netip.MustParsePrefix("127.0.0.0/8"), Attachment: trellis.AttachmentLoopback})
	st.Put(&trellis.ServiceNetwork{Meta: meta(netID), Name: "shop", AuthType: kind})
	st.Put(&trellis.VPCAssociation{Meta: meta("snva-0fffffffffffffff0"), VPC: ref(vpcID), ServiceNetwork: ref(netID), Status: trellis.StatusActive, Slot: slot})
	st.Put(&trellis.Service{Meta: meta(svcID), Name: "orders", AuthType: kind, Status: trellis.StatusActive})
	st.Put(&trellis.ServiceAssociation{Meta: meta("snsa-0fffffffffffffff0"), Service: ref(svcID), ServiceNetwork: ref(netID), Status: trellis.StatusActive})
	st.Put(&trellis.Listener{Meta: meta(lisID), ServiceID: svcID, Name: "http", Protocol: trellis.ProtocolHTTP, Port: port, DefaultAction: trellis.Action{FixedResponse: 404}})
	for i := range 5 {
		st.Put(&trellis.Rule{Meta: meta(fmt.Sprintf("rule-h%d", i)), ServiceID: svcID, ListenerID: lisID, Name: fmt.Sprintf("header-%d", i), Priority: 1 + i, Action: forward,
			Match: trellis.HTTPMatch{Headers: []trellis.HeaderMatch{{Name: "x-channel", Exact: fmt.Sprintf("channel-%d", i)}}}})
	}
	for i := range 50 {
		st.Put(&trellis.Rule{Meta: meta(fmt.Sprintf("rule-p%d", i)), ServiceID: svcID, ListenerID: lisID, Name: fmt.Sprintf("path-%d", i), Priority: 100 + i, Action: forward,
			Match: trellis.HTTPMatch{Path: &trellis.PathMatch{Prefix: fmt.Sprintf("/p%02d/", i), CaseSensitive: true}}})
	}
	st.Put(&trellis.TargetGroup{Meta: meta(groupID), Name: "orders", Type: trellis.TargetsIP, Port: int(target.Port()), Protocol: trellis.ProtocolHTTP,
		ProtocolVersion: "HTTP1", VPCID: vpcID, Status: trellis.StatusActive, HealthCheck: &trellis.HealthCheck{}})
	st.Put(&trellis.Target{Account: account, TargetGroupID: groupID, ID: target.Addr().String(), Port: int(target.Port())})
	st.Put(&trellis.AccessLogSubscription{Meta: meta("als-0fffffffffffffff0"), Resource: ref(netID),
		DestinationARN: "arn:aws:logs:eu-west-1:444455556666:log-group:bench"})
	if auth {
		st.Put(&trellis.AuthPolicy{Resource: ref(netID), Text: policy})
		st.Put(&trellis.AuthPolicy{Resource: ref(svcID), Text: policy})
	}
	return st
}
