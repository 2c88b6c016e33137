package http2

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/trellis-project/trellis/http1"
)

// Codes of gRPC that a proxy says or reads (gRPC over HTTP2, "Responses"; doc/statuscodes.md of gRPC).
const (
	grpcCancelled         = 1
	grpcUnknown           = 2
	grpcDeadlineExceeded  = 4
	grpcPermissionDenied  = 7
	grpcResourceExhausted = 8
	grpcUnimplemented     = 12
	grpcInternal          = 13
	grpcUnavailable       = 14
	grpcUnauthenticated   = 16
)

// IsGRPC tells whether a request is one of gRPC: a POST whose content type is application/grpc, alone or with a format or
// parameters.
func IsGRPC(h *http1.Head) bool {
	const name, prefix = "content-type", "application/grpc"
	if h.Method != "POST" {
		return false
	}
	for i := range h.Fields {
		if f := &h.Fields[i]; len(f.Name) == len(name) && strings.EqualFold(f.Name, name) {
			v := f.Value
			return len(v) >= len(prefix) && strings.EqualFold(v[:len(prefix)], prefix) && (len(v) == len(prefix) || v[len(prefix)] == '+' || v[len(prefix)] == ';')
		}
	}
	return false
}

// GRPCStatus is what a client of gRPC takes a status of HTTP for when an answer has no grpc-status (gRPC's
// http-grpc-status-mapping.md). A proxy that answers by itself says so.
func GRPCStatus(status int) int {
	switch status {
	case 400:
		return grpcInternal
	case 401:
		return grpcUnauthenticated
	case 403:
		return grpcPermissionDenied
	case 404:
		return grpcUnimplemented
	case 429, 502, 503, 504:
		return grpcUnavailable
	}
	return grpcUnknown
}

// GRPCStatus is what a client of gRPC takes the reset of a stream for (gRPC over HTTP2, "Errors").
func (c Code) GRPCStatus() int {
	switch c {
	case RefusedStream:
		return grpcUnavailable
	case Cancel:
		return grpcCancelled
	case EnhanceYourCalm:
		return grpcResourceExhausted
	case InadequateSecurity:
		return grpcPermissionDenied
	}
	return grpcInternal
}

// GRPCStatusOfReset is what a call has come to that a server has reset after some time. One that it cancels when the deadline of
// the call has passed (grpc-timeout) is one that took too long: servers keep deadlines as clients do.
func GRPCStatusOfReset(code Code, request []http1.Field, after time.Duration) int {
	if code == Cancel {
		if timeout, ok := grpcTimeout(request); ok && after >= timeout {
			return grpcDeadlineExceeded
		}
	}
	return code.GRPCStatus()
}

// grpcTimeout reads grpc-timeout: at most eight digits and a unit (gRPC over HTTP2, "Requests").
func grpcTimeout(fields []http1.Field) (time.Duration, bool) {
	for i := range fields {
		f := &fields[i]
		if len(f.Name) != len("grpc-timeout") || !strings.EqualFold(f.Name, "grpc-timeout") {
			continue
		}
		last := len(f.Value) - 1
		if last < 1 || last > 8 {
			return 0, false
		}
		unit, known := map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': 1}[f.Value[last]]
		n, err := strconv.ParseUint(f.Value[:last], 10, 32)
		return time.Duration(min(n, uint64(math.MaxInt64/max(unit, 1)))) * unit, known && err == nil
	}
	return 0, false
}

// GRPCStatusOf reads grpc-status in trailers, or in the fields of an answer that has no others. ok tells that there is one.
func GRPCStatusOf(fields []http1.Field) (status int, ok bool) {
	for i := range fields {
		if f := &fields[i]; len(f.Name) == len("grpc-status") && strings.EqualFold(f.Name, "grpc-status") {
			n, err := strconv.ParseUint(f.Value, 10, 31)
			return int(n), err == nil
		}
	}
	return 0, false
}

// AppendGRPCMessage writes a text as the value of grpc-message: what is not printable ASCII, and '%', percent-encoded.
func AppendGRPCMessage(dst []byte, s string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '%' {
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}
