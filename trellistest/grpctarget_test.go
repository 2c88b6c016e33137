package trellistest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// raw passes messages of gRPC as they are, so that no code is generated for them.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (raw) Unmarshal(b []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(b)
	return nil
}

func (raw) Name() string { return "raw" }

// grpcTarget is a target that speaks gRPC: one method for each thing that clients try.
type grpcTarget struct {
	name   string
	server *grpc.Server
	mu     sync.Mutex
	ended  map[string]chan struct{} // calls that wait, by what they are called; closed when their client has gone
}

// serveGRPC is the process of a target: it listens until a call tells it to stop, or a signal ends it.
func serveGRPC(listen, name string) error {
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	g := &grpcTarget{name: name, ended: map[string]chan struct{}{}}
	g.server = grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.MaxRecvMsgSize(8<<20), grpc.UnknownServiceHandler(g.call))
	return g.server.Serve(ln)
}

// end is what is closed when a call of a name has ended.
func (g *grpcTarget) end(name string) chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended[name] == nil {
		g.ended[name] = make(chan struct{})
	}
	return g.ended[name]
}

// call serves one call.
func (g *grpcTarget) call(_ any, s grpc.ServerStream) error {
	path, _ := grpc.MethodFromServerStream(s)
	var in []byte
	take := func() bool { return s.RecvMsg(&in) == nil }
	say := func(b []byte) error { return s.SendMsg(&b) }
	switch _, method, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/"); method {
	case "Echo": // and what was said beside it, in front and behind
		md, _ := metadata.FromIncomingContext(s.Context())
		if mine := md.Get("x-mine"); len(mine) > 0 {
			s.SetHeader(metadata.Pairs("x-seen", mine[0], "x-data-bin", strings.Join(md.Get("x-data-bin"), "")))
			s.SetTrailer(metadata.Pairs("x-end", mine[0]))
		}
		take()
		return say(in)
	case "Name":
		take()
		return say([]byte(g.name))
	case "Sum":
		messages, total := 0, 0
		for take() {
			messages, total = messages+1, total+len(in)
		}
		return say(fmt.Appendf(nil, "%d messages, %d bytes", messages, total))
	case "Count":
		var messages, size int
		take()
		if _, err := fmt.Sscan(string(in), &messages, &size); err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
		for range messages {
			if err := say(make([]byte, size)); err != nil {
				return err
			}
		}
		return nil
	case "Talk":
		for take() {
			if err := say(in); err != nil {
				return err
			}
		}
		return nil
	case "Wait", "Sleep":
		take()
		<-s.Context().Done()
		close(g.end(string(in)))
		return status.FromContextError(context.Cause(s.Context())).Err()
	case "Ended": // answers when a call of Wait has ended
		take()
		select {
		case <-g.end(string(in)):
			return say([]byte("ended"))
		case <-s.Context().Done():
			return s.Context().Err()
		}
	case "Fail":
		return status.Error(codes.FailedPrecondition, "not now: 100 % of ü")
	case "Exit": // in the middle of a call whose first answer has come
		take()
		if err := say(in); err != nil {
			return err
		}
		take()
		os.Exit(0)
	case "Stop": // in order: GOAWAY, and what is under way is served
		take()
		go func() {
			g.server.GracefulStop()
		}()
		return say([]byte("stops"))
	}
	return status.Error(codes.Unimplemented, path)
}
