// Command plane is Trellis' data plane alone, on a plain socket, for comparisons: one service with fifty path rules,
// five header rules and a weighted split over two target groups, as many more services as are wanted, an access log
// that is written to a file, and a socket to make changes that go live as the daemon's do.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net/http"
	_ "net/http/pprof"
	"net/netip"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"

	"github.com/trellis-project/trellis"
)

// options are the flags.
type options struct {
	listen     string
	targets    [2]string // of the two target groups
	source     string    // address to dial targets from
	log        string
	control    string
	accelerate string
	instances  []netip.Addr // of clients and targets, for accelerate
	services   int
	rules      int
	own        bool
	auth       bool
	protocol   trellis.Protocol // of the listener
	version    string           // protocol version of the target groups
	pair       tls.Certificate  // for HTTPS
}

// main reads the flags.
func main() {
	log.SetFlags(0)
	log.SetPrefix("plane: ")
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:9400", "address to listen on")
	flag.StringVar(&o.targets[0], "target", "127.0.0.1:9401", "address of the target that gets 90 % of the requests")
	flag.StringVar(&o.targets[1], "other", "127.0.0.1:9402", "address of the target that gets 10 %")
	flag.StringVar(&o.source, "source", "", "address to dial targets from")
	flag.StringVar(&o.log, "log", os.DevNull, "file for the access log")
	flag.StringVar(&o.control, "control", "", "Unix socket to make changes by: POST /rule, POST /service, GET /text")
	flag.StringVar(&o.accelerate, "accelerate", "", "legs whose bytes go from socket to socket: target or both")
	flag.Func("instance", "address of a client or target in this network namespace, for -accelerate; may be repeated", func(s string) error {
		ip, err := netip.ParseAddr(s)
		o.instances = append(o.instances, ip)
		return err
	})
	flag.IntVar(&o.services, "services", 0, "further services, each with a rule and a target group")
	flag.IntVar(&o.rules, "rules", 50, "path rules of the first service")
	flag.BoolVar(&o.own, "own", false, "give each path rule a target group of its own instead of the split")
	flag.BoolVar(&o.auth, "auth", false, "authorize callers on the network and the service")
	flag.StringVar((*string)(&o.protocol), "protocol", string(trellis.ProtocolHTTP), "protocol of the listener: HTTP, HTTPS or TLS_PASSTHROUGH; or TCP for a resource at the first target's address and the port that is listened on")
	flag.StringVar(&o.version, "version", "HTTP1", "protocol version of the target groups: HTTP1, HTTP2 or GRPC")
	certificate := flag.String("certificate", "", "file of a certificate for HTTPS, and of its private key")
	debug := flag.String("pprof", "", "address of net/http/pprof")
	profile := flag.String("profile", "", "file for a CPU profile of the whole run")
	flag.Parse()
	if *debug != "" {
		go func() { log.Print(http.ListenAndServe(*debug, nil)) }() // ends with the process
	}
	if *certificate != "" {
		pair, err := tls.LoadX509KeyPair(*certificate, *certificate)
		if err != nil {
			log.Fatal(err)
		}
		o.pair = pair
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	end, err := startProfile(*profile)
	if err != nil {
		log.Fatal(err)
	}
	err = run(ctx, o)
	end()
	if err != nil {
		log.Fatal(err)
	}
}

// startProfile begins a CPU profile, if a file for it is given. end writes it.
func startProfile(file string) (end func(), err error) {
	if file == "" {
		return func() {}, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, pprof.StartCPUProfile(f)
}
