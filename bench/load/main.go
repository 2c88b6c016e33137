// Command load is the load of a comparison that wrk can't make:
//
//	load open    requests that are due at random moments (Poisson), whether the answers to earlier ones have come
//	             or not; latency counts from the moment a request was due, so that nothing is left out when the
//	             proxy stalls
//	load idle    many connections that made one request each and stay open, with TLS too
//	load secure  connections of TLS 1.3 that make one request each, with a whole handshake or a resumed one
//	load drain   connections that begin TLS and then only take what comes, as fast as it does
//	load awake   keeps a core from halting: in a virtual machine the halt and the wake-up cost more than a proxy does
//	load stalls  what a loop loses of its core to others: to the host of a virtual machine above all
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/trellis-project/trellis/bench/socket"
)

// main reads the verb and its flags.
func main() {
	log.SetFlags(0)
	log.SetPrefix("load: ")
	if len(os.Args) < 2 {
		log.Fatal("usage: load open|idle|secure|drain|awake|stalls")
	}
	f := flag.NewFlagSet("load "+os.Args[1], flag.ExitOnError)
	o := options{}
	f.StringVar(&o.to, "to", "", "address and port of the proxy")
	f.StringVar(&o.path, "path", "/", "path of the requests")
	f.Float64Var(&o.rate, "rate", 1000, "requests a second")
	f.DurationVar(&o.length, "time", 3*time.Second, "how long requests are due, or stalls are looked for")
	f.IntVar(&o.connections, "connections", 64, "connections")
	f.StringVar(&o.name, "name", "", "server name of TLS; without one there is no TLS")
	f.BoolVar(&o.resume, "resume", false, "resume the sessions of earlier connections")
	f.StringVar(&o.samples, "samples", "", "file for a line of each request: µs when it was due, µs it took, status (0: unanswered)")
	f.Func("H", "a header field, Name: value", func(s string) error {
		o.fields = append(o.fields, s)
		return nil
	})
	f.Parse(os.Args[2:])
	var err error
	if !o.collected(os.Args[1]) {
		err = socket.Own()
	}
	if err != nil {
		log.Fatal(err)
	}
	switch os.Args[1] {
	case "open":
		err = open(o)
	case "idle":
		if o.name == "" {
			err = idle(o)
		} else {
			err = idleSecured(o)
		}
	case "secure":
		err = secure(o)
	case "drain":
		err = drain(o)
	case "awake":
		//lint:ignore SA5002 using the CPU is what it is for
		for {
		}
	case "stalls":
		err = stalls(o.length)
	default:
		err = fmt.Errorf("%q is no verb: open, idle, secure, drain, awake or stalls", os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
}

// options are the flags of all verbs.
type options struct {
	to, path    string
	rate        float64
	length      time.Duration
	connections int
	samples     string
	fields      []string
	name        string
	resume      bool
}

// collected tells whether a verb leaves garbage, as TLS does, and has goroutines that wait: its thread isn't its own.
func (o options) collected(verb string) bool {
	return verb == "secure" || verb == "idle" && o.name != ""
}

// request is the one request that is made.
func (o options) request() []byte {
	return []byte("GET " + o.path + " HTTP/1.1\r\n" + strings.Join(o.fields, "\r\n") + "\r\n\r\n")
}

// say prints a line of JSON for the program that started this one.
func say(v any) error {
	return json.NewEncoder(os.Stdout).Encode(v)
}

// answer tells whether b is a whole answer, and its status.
func answer(b []byte) (status int, whole bool, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, false, nil
	}
	if end < 12 {
		return 0, false, fmt.Errorf("no answer of HTTP/1.1: %q", b[:end])
	}
	if status, err = strconv.Atoi(string(b[9:12])); err != nil {
		return 0, false, fmt.Errorf("no answer of HTTP/1.1: %q", b[:end])
	}
	at := index(b[:end+2], "\r\ncontent-length: ")
	if at < 0 {
		return 0, false, fmt.Errorf("an answer without a length: %q", b[:end])
	}
	length := 0
	for ; '0' <= b[at] && b[at] <= '9'; at++ {
		length = 10*length + int(b[at]-'0')
	}
	return status, len(b) >= end+4+length, nil
}

// index is where lower, which is in lower case, ends in b.
func index(b []byte, lower string) int {
	for i := 0; i+len(lower) < len(b); i++ {
		if b[i] != '\r' {
			continue
		}
		j := 0
		for j < len(lower) && (b[i+j] == lower[j] || 'A' <= b[i+j] && b[i+j] <= 'Z' && b[i+j]|0x20 == lower[j]) {
			j++
		}
		if j == len(lower) {
			return i + j
		}
	}
	return -1
}
