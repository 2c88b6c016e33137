package http1

import (
	"strings"
	"testing"
)

// adopted is a head with these fields, as another version of HTTP fills one in.
func adopted(pairs ...string) *Head {
	h := &Head{}
	for i := 0; i < len(pairs); i += 2 {
		h.Fields = append(h.Fields, Field{pairs[i], pairs[i+1]})
		h.Kinds = append(h.Kinds, KindOf(pairs[i]))
	}
	return h
}

// TestAdoptRequest holds requests of other versions to the rules of HTTP/1.1.
func TestAdoptRequest(t *testing.T) {
	for name, c := range map[string]struct {
		method, target string
		fields         []string
		ended          bool
		want           string // the request line and framing that are written, or the reason to refuse
	}{
		"plain":                {"GET", "/a?b", []string{"host", "a"}, true, "GET /a?b HTTP/1.1\r\n"},
		"a length":             {"PUT", "/", []string{"host", "a", "content-length", "3"}, false, "PUT / HTTP/1.1\r\nContent-Length: 3\r\n"},
		"no length":            {"PUT", "/", []string{"host", "a"}, false, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"},
		"a length of nothing":  {"PUT", "/", []string{"host", "a", "content-length", "0"}, true, "PUT / HTTP/1.1\r\nContent-Length: 0\r\n"},
		"the server as such":   {"OPTIONS", "*", []string{"host", "a"}, true, "OPTIONS * HTTP/1.1\r\n"},
		"CONNECT":              {"CONNECT", "/", []string{"host", "a"}, true, "CONNECT / HTTP/1.1\r\n"},
		"a length, ended":      {"PUT", "/", []string{"host", "a", "content-length", "3"}, true, ErrLengthEnded.Reason},
		"bad method":           {"G\r\nT", "/", []string{"host", "a"}, true, ErrMethod.Reason},
		"misspelt method":      {"Get", "/", []string{"host", "a"}, true, ErrMethod.Reason},
		"no target":            {"GET", "", []string{"host", "a"}, true, ErrTarget.Reason},
		"absolute target":      {"GET", "http://a/", []string{"host", "a"}, true, ErrTarget.Reason},
		"a space in it":        {"GET", "/ HTTP/1.1", []string{"host", "a"}, true, ErrTarget.Reason},
		"long target":          {"GET", "/" + strings.Repeat("a", MaxLine), []string{"host", "a"}, true, ErrTargetTooLong.Reason},
		"no host":              {"GET", "/", nil, true, ErrHost.Reason},
		"two hosts":            {"GET", "/", []string{"host", "a", "host", "a"}, true, ErrHost.Reason},
		"a name that confuses": {"GET", "/", []string{"host", "a", "content_length", "3"}, true, ErrConfusable.Reason},
	} {
		h := adopted(c.fields...)
		got := ""
		if err := h.AdoptRequest(c.method, c.target, c.ended); err != nil {
			got = err.Error()
		} else {
			got = string(AppendFraming(AppendRequestLine(nil, h), h))
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestAdoptResponse frames responses of other versions so that the end is where it was.
func TestAdoptResponse(t *testing.T) {
	for name, c := range map[string]struct {
		status        int
		fields        []string
		toHead, ended bool
		want          string
	}{
		"a body":               {200, nil, false, false, "Transfer-Encoding: chunked\r\n"},
		"none":                 {200, nil, false, true, "Content-Length: 0\r\n"},
		"a length":             {200, []string{"content-length", "3"}, false, false, "Content-Length: 3\r\n"},
		"a length, ended":      {200, []string{"content-length", "3"}, false, true, ErrLengthEnded.Reason},
		"to HEAD":              {200, []string{"content-length", "3"}, true, true, "Content-Length: 3\r\n"},
		"304":                  {304, []string{"content-length", "3"}, false, true, "Content-Length: 3\r\n"},
		"304 without a length": {304, nil, false, true, ""},
		"204":                  {204, nil, false, true, ""},
		"204 with a length":    {204, []string{"content-length", "3"}, false, true, ""},
		"103":                  {103, nil, false, false, ""},
		"101":                  {101, nil, false, false, ErrSwitchedProtocol.Reason},
	} {
		h := adopted(c.fields...)
		got := ""
		if err := h.AdoptResponse(c.status, c.toHead, c.ended); err != nil {
			got = err.Error()
		} else {
			got = string(AppendFraming(nil, h))
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if h.Close {
			t.Errorf("%s: closes", name)
		}
	}
}
