package api

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/sigv4"
)

// readBody reads a body with headers, as a request of a hash, and returns the text and the code of the error.
func readBody(text, hash string, header map[string]string) (got, code string) {
	h := http.Header{}
	for k, v := range header {
		h.Set(k, v)
	}
	b, err := newBody(strings.NewReader(text), h, &sigv4.Authorization{PayloadHash: hash}, nil, int64(len(text)))
	if err == nil {
		var all []byte
		all, err = io.ReadAll(b)
		got = string(all)
	}
	if e, ok := errors.AsType[*trellis.Error](err); ok {
		return got, e.Code
	} else if err != nil {
		code = err.Error()
	}
	return got, code
}

// TestBodies reads bodies that say of themselves what is so and what is not.
func TestBodies(t *testing.T) {
	const text, crc, crc64 = "123456789", "y/Q5Jg==", "rosUhgp5mIg="
	chunked := func(body string, n int, more ...string) (string, map[string]string) {
		h := map[string]string{"X-Amz-Decoded-Content-Length": strconv.Itoa(n)}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = more[i+1]
		}
		return body, h
	}
	for name, c := range map[string]struct {
		text, hash string
		header     map[string]string
		want, code string
	}{
		"plain":            {text, sigv4.UnsignedPayload, nil, text, ""},
		"signed":           {text, sigv4.HashPayload([]byte(text)), nil, text, ""},
		"wrongly signed":   {text, sigv4.HashPayload([]byte("x")), nil, text, "XAmzContentSHA256Mismatch"},
		"crc32":            {text, sigv4.UnsignedPayload, map[string]string{"x-amz-checksum-crc32": crc}, text, ""},
		"crc64nvme":        {text, sigv4.UnsignedPayload, map[string]string{"x-amz-checksum-crc64nvme": crc64}, text, ""},
		"wrong crc":        {text, sigv4.UnsignedPayload, map[string]string{"x-amz-checksum-crc32": crc64}, text, "BadDigest"},
		"unknown checksum": {text, sigv4.UnsignedPayload, map[string]string{"x-amz-checksum-type": "FULL_OBJECT"}, text, ""},
	} {
		if got, code := readBody(c.text, c.hash, c.header); got != c.want || code != c.code {
			t.Errorf("%s: %q %s, want %q %s", name, got, code, c.want, c.code)
		}
	}
	for name, c := range map[string]struct {
		body, trailer string
		n             int
		want, code    string
	}{
		"one chunk":            {"9\r\n123456789\r\n0\r\n\r\n", "", 9, text, ""},
		"two chunks":           {"4\r\n1234\r\n5\r\n56789\r\n0\r\n\r\n", "", 9, text, ""},
		"trailer":              {"9\r\n123456789\r\n0\r\nx-amz-checksum-crc64nvme:" + crc64 + "\r\n\r\n", "x-amz-checksum-crc64nvme", 9, text, ""},
		"wrong trailer":        {"9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "x-amz-checksum-crc32", 9, text, "BadDigest"},
		"announced, not there": {"9\r\n123456789\r\n0\r\n\r\n", "x-amz-checksum-crc32", 9, text, "BadDigest"},
		"too short":            {"4\r\n1234\r\n0\r\n\r\n", "", 9, "1234", "IncompleteBody"},
		"too long":             {"9\r\n123456789\r\n0\r\n\r\n", "", 4, text, "IncompleteBody"},
		"cut":                  {"9\r\n1234", "", 9, "1234", "IncompleteBody"},
		"cut between":          {"4\r\n1234\r\n", "", 9, "1234", "IncompleteBody"},
		"no size":              {"x\r\n1234\r\n", "", 4, "", "IncompleteBody"},
		"negative":             {"-4\r\n1234\r\n", "", 4, "", "IncompleteBody"},
		"huge":                 {"7fffffffffffffff\r\n1234\r\n", "", 4, "", "IncompleteBody"},
		"not chunked":          {text, "", 9, "", "IncompleteBody"},
		"empty":                {"0\r\n\r\n", "", 0, "", ""},
	} {
		body, header := chunked(c.body, c.n, "X-Amz-Trailer", c.trailer)
		if got, code := readBody(body, sigv4.StreamingUnsignedTrailer, header); got != c.want || code != c.code {
			t.Errorf("%s: %q %s, want %q %s", name, got, code, c.want, c.code)
		}
	}
	if sum := NewChecksum("CRC64NVME"); base64.StdEncoding.EncodeToString(sum.Sum(nil)) != "AAAAAAAAAAA=" {
		t.Error("the checksum of nothing")
	}
}

// FuzzChunks reads any bytes as a body in chunks: no panic, never more than was declared without an error, and what was
// read whole has no error by itself.
func FuzzChunks(f *testing.F) {
	f.Add("9\r\n123456789\r\n0\r\n\r\n", 9)
	f.Add("4;chunk-signature=00\r\n1234\r\n5\r\n56789\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", 9)
	f.Add("0\r\na:b\r\nx-amz-trailer-signature:00\r\n\r\n", 0)
	key := sigv4.NewKey("secret")
	f.Fuzz(func(t *testing.T, text string, n int) {
		for _, hash := range []string{sigv4.StreamingUnsignedTrailer, sigv4.StreamingPayload, sigv4.StreamingPayloadTrailer} {
			header := http.Header{"X-Amz-Decoded-Content-Length": {strconv.Itoa(n)}, "X-Amz-Trailer": {"x-amz-checksum-crc32"}}
			b, err := newBody(strings.NewReader(text), header, &sigv4.Authorization{PayloadHash: hash}, key, -1)
			if err != nil {
				continue
			}
			got, err := io.ReadAll(b)
			if err == nil && len(got) != n {
				t.Fatalf("%d bytes, declared %d", len(got), n)
			}
			if e, ok := errors.AsType[*trellis.Error](err); err != nil && (!ok || e.Status >= 500) {
				t.Fatal(err)
			}
		}
	})
}
