package trellistest

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// grpcClient is Go's client of gRPC, in a process in an instance.
type grpcClient struct{ *grpc.ClientConn }

// dialGRPC makes a client of the service at an address, which has a certificate of an authority.
func dialGRPC(addr, root string) (grpcClient, error) {
	pem, err := os.ReadFile(root)
	if err != nil {
		return grpcClient{}, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool})),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(8<<20)))
	return grpcClient{conn}, err
}

// unary makes a call with one message each way.
func (c grpcClient) unary(ctx context.Context, method string, in []byte, o ...grpc.CallOption) (out []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	err = c.Invoke(ctx, "/calls.Calls/"+method, &in, &out, o...)
	return out, err
}

// stream begins a call with any number of messages both ways.
func (c grpcClient) stream(ctx context.Context, method string) (grpc.ClientStream, error) {
	return c.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/calls.Calls/"+method)
}

// codeName is what gRPC's documents call a code.
func codeName(err error) string {
	b := strings.Builder{}
	for i, r := range status.Code(err).String() {
		if i > 0 && 'A' <= r && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	if status.Code(err) == codes.Canceled {
		return "CANCELLED"
	}
	return strings.ToUpper(b.String())
}

// tryGRPC makes all the calls that grpc.py and grpc.js make too, and tells how each ended.
func tryGRPC(c grpcClient) map[string]string {
	got := map[string]string{}
	ctx, end := context.WithTimeout(context.Background(), 50*time.Second)
	defer end()
	for name, f := range map[string]func() (string, error){
		"unary": func() (string, error) {
			var head, trailer metadata.MD
			out, err := c.unary(metadata.AppendToOutgoingContext(ctx, "x-mine", "mine", "x-data-bin", "\x00\xff"), "Echo", []byte("hello"), grpc.Header(&head), grpc.Trailer(&trailer))
			return fmt.Sprintf("%s, seen %s, end %s, data %x", out, first(head, "x-seen"), first(trailer, "x-end"), first(head, "x-data-bin")), err
		},
		"upload": func() (string, error) {
			s, err := c.stream(ctx, "Sum")
			if err != nil {
				return "", err
			}
			for range 1000 {
				b := make([]byte, 500)
				if err := s.SendMsg(&b); err != nil {
					break // the reason comes with the answer
				}
			}
			s.CloseSend()
			var out []byte
			err = s.RecvMsg(&out)
			return string(out), err
		},
		"download": func() (string, error) {
			s, err := c.stream(ctx, "Count")
			if err != nil {
				return "", err
			}
			b := []byte("5000 100")
			s.SendMsg(&b)
			s.CloseSend()
			n, total := 0, 0
			for {
				var out []byte
				if err := s.RecvMsg(&out); errors.Is(err, io.EOF) {
					return fmt.Sprintf("%d messages, %d bytes", n, total), nil
				} else if err != nil {
					return "", err
				}
				n, total = n+1, total+len(out)
			}
		},
		"talk": func() (string, error) { return c.talk(ctx, 100) },
		"deadline": func() (string, error) {
			short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
			defer cancel()
			_, err := c.unary(short, "Sleep", []byte("go deadline"))
			out, ended := c.unary(ctx, "Ended", []byte("go deadline"))
			return codeName(err) + " " + string(out), ended
		},
		"cancel": func() (string, error) {
			mine, cancel := context.WithCancel(ctx)
			time.AfterFunc(200*time.Millisecond, cancel)
			_, err := c.unary(mine, "Wait", []byte("go cancel"))
			out, ended := c.unary(ctx, "Ended", []byte("go cancel"))
			return codeName(err) + " " + string(out), ended
		},
		"status": func() (string, error) {
			_, err := c.unary(ctx, "Fail", nil)
			return codeName(err) + " " + status.Convert(err).Message(), nil
		},
		"large": func() (string, error) {
			out, err := c.unary(ctx, "Echo", make([]byte, 4_000_000))
			return fmt.Sprintf("%d bytes", len(out)), err
		},
		"many": func() (string, error) {
			var wg sync.WaitGroup
			var good atomic.Int64
			var bad error
			for i := range 500 {
				wg.Go(func() {
					out, err := c.unary(ctx, "Echo", fmt.Append(nil, i))
					if err == nil && string(out) == fmt.Sprint(i) {
						good.Add(1)
					} else {
						bad = err
					}
				})
			}
			wg.Wait()
			return fmt.Sprint(good.Load(), " answers"), bad
		},
		"denied": func() (string, error) {
			_, err := c.unary(ctx, "Denied", nil)
			_, why, _ := strings.Cut(status.Convert(err).Message(), "is ")
			why, _, _ = strings.Cut(why, " to")
			return codeName(err) + " " + why, nil
		},
		"nowhere": func() (string, error) {
			_, err := c.unary(ctx, "Nowhere", nil)
			return codeName(err), nil
		},
		"exit": func() (string, error) {
			s, err := c.stream(ctx, "Exit")
			if err != nil {
				return "", err
			}
			in, out := []byte("hello"), []byte(nil)
			s.SendMsg(&in)
			if err := s.RecvMsg(&out); err != nil {
				return "", err
			}
			s.SendMsg(&in)
			dead := s.RecvMsg(&in)
			_, again := c.unary(ctx, "Exit", nil)
			return string(out) + " " + codeName(dead) + " " + codeName(again), nil
		},
	} {
		out, err := f()
		if err != nil {
			out += " " + err.Error()
		}
		got[name] = out
	}
	return got
}

// first is the first value of a field.
func first(md metadata.MD, name string) string { return strings.Join(md.Get(name), "") }

// load makes one call of the i-th caller: every fourth one talks for a while.
func (c grpcClient) load(i int) (string, error) {
	if i%4 == 0 {
		return c.talk(context.Background(), 20)
	}
	out, err := c.unary(context.Background(), "Name", []byte("who?"))
	return string(out), err
}

// talk says so many words, each after the answer to the one before.
func (c grpcClient) talk(ctx context.Context, words int) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	s, err := c.stream(ctx, "Talk")
	if err != nil {
		return "", err
	}
	for i := range words {
		in, out := fmt.Appendf(nil, "word %d", i), []byte(nil)
		s.SendMsg(&in)
		if err := s.RecvMsg(&out); err != nil || string(out) != string(in) {
			return fmt.Sprintf("%q for %q", out, in), err
		}
	}
	s.CloseSend()
	var out []byte
	if err := s.RecvMsg(&out); !errors.Is(err, io.EOF) {
		return "", err
	}
	return fmt.Sprint(words, " answers"), nil
}

// loadGRPC makes calls all the time, in a few at once, until standard input ends. For each line there it waits until some
// more have been answered. It tells how often each answer came.
func loadGRPC(c grpcClient) map[string]int {
	seen, mu := map[string]int{}, sync.Mutex{}
	count := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, m := range seen {
			n += m
		}
		return n
	}
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	changed := make(chan struct{}, 1)
	for i := range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				answer, err := c.load(i)
				if err != nil {
					answer = err.Error()
				}
				mu.Lock()
				seen[answer]++
				mu.Unlock()
				select {
				case changed <- struct{}{}:
				default:
				}
			}
		})
	}
	fmt.Println("started")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		for until := count() + 200; count() < until; {
			<-changed
		}
		fmt.Println("more")
	}
	stop()
	wg.Wait()
	return seen
}

// stopGRPC tells a target to stop in order.
func stopGRPC(addr string) error {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = grpcClient{conn}.unary(context.Background(), "Stop", nil)
	return err
}

// playRole does what a process of the tests is for: to be a target or a client.
func playRole(role string, args []string) error {
	switch role {
	case "aws":
		code, err := runAWS(args)
		if err == nil {
			os.Exit(code)
		}
		return fmt.Errorf("aws: %w", err)
	case "etcd":
		return runMember(args[0], args[1], args[2], args[3])
	case "target":
		return serveGRPC(args[0], args[1])
	case "web":
		return serveWeb(args[0])
	case "stop":
		return stopGRPC(args[0])
	}
	c, err := dialGRPC(args[0], args[1])
	if err != nil {
		return err
	}
	defer c.Close()
	if role == "load" {
		return json.NewEncoder(os.Stdout).Encode(loadGRPC(c))
	}
	return json.NewEncoder(os.Stdout).Encode(tryGRPC(c))
}
