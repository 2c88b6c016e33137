package main

import (
	"bytes"
	"context"
	"fmt"
)

// grpcFields are those of a request of gRPC beside the usual ones.
var grpcFields = []string{"Content-Type: application/grpc", "TE: trailers"}

// grpcMessage is a message of 100 bytes: a byte for compression, four for the length, and what it says.
var grpcMessage = append([]byte{0, 0, 0, 0, 100}, bytes.Repeat([]byte("m"), 100)...)

// Requests of HTTP/2: as many at a time as in row a, on few connections.
const (
	fewConns   = 8
	eachStream = 8
)

// messages is how many messages an answer has that is a stream of them.
const messages = 100

// unary is a call of gRPC with one message there and one back, stream is one with many back.
var (
	unary  = request{host: serviceHost, path: rulePath, fields: grpcFields, body: grpcMessage}
	stream = request{host: serviceHost, path: fmt.Sprintf("/svc00025/stream/%d", messages), fields: grpcFields, body: grpcMessage}
)

// measureStreams is the rows h, i and j, and k, which has a connection for each request at a time: requests by h2load. What
// is counted is each of the answer's parts.
func measureStreams(s shape, url request, conns, streams int, parts float64) func(context.Context, *bench, *contestant) (metrics, error) {
	return func(ctx context.Context, b *bench, c *contestant) (m metrics, err error) {
		err = b.visit(ctx, c, s, func(v *visit) error {
			if _, _, err := v.h2load(ctx, url, conns, streams, warm); err != nil {
				return err
			}
			r, u, err := v.h2load(ctx, url, conns, streams, b.length)
			if err != nil {
				return err
			}
			m, err = v.smallMetrics(r, u, parts)
			return err
		})
		return m, err
	}
}

// smallMetrics are those of many small requests, each of which counts for some parts.
func (v *visit) smallMetrics(r loadResult, u usage, parts float64) (metrics, error) {
	m := metrics{"rps": parts * r.requests / r.seconds, "p50_closed": r.p50, "p99_closed": r.p99, "foreign": u.foreign}
	m.costs(v, u, parts*r.requests)
	if len(v.ps) == 0 {
		return m, nil
	}
	m["busy"] = u.proxy.Seconds() / r.seconds
	m["core_rps"] = m["rps"] / m["busy"]
	mem, err := memoryOf(v.ps)
	m["pss_mb"], m["peak_mb"] = mem.pss/1e6, mem.peak/1e6
	return m, err
}
