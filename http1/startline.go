package http1

import (
	"bytes"
	"strings"
)

// requestLine reads "METHOD target HTTP/1.x" without its line end (RFC 9112 3).
func (h *Head) requestLine(b []byte) error {
	i := bytes.IndexByte(b, ' ')
	if i <= 0 {
		return ErrRequestLine
	}
	method, rest := b[:i], b[i+1:]
	if !all(method, isToken) || misspelt(view(method)) {
		return ErrMethod
	}
	i = bytes.IndexByte(rest, ' ')
	if i <= 0 {
		return ErrRequestLine // also HTTP/0.9
	}
	target, ver := rest[:i], rest[i+1:]
	h.Method = view(method)
	if h.Method == "PRI" && string(target) == "*" {
		return ErrPreface
	}
	if err := h.version(ver); err != nil {
		return err
	}
	if h.Method == "CONNECT" {
		return ErrConnect
	}
	if !all(target, isTarget) {
		return ErrTarget
	}
	return h.target(view(target))
}

// misspelt tells whether a method is one of RFC 9110 or 5789 but for the case of its letters. It would be another
// method for rules and policies (RFC 9110 9.1), and the same one for a target that folds the case, as many frameworks do.
func misspelt(m string) bool {
	lower := false
	for i := range len(m) {
		lower = lower || m[i] >= 'a' && m[i] <= 'z'
	}
	if !lower {
		return false
	}
	for _, known := range [...]string{"get", "head", "post", "put", "delete", "patch", "options", "trace", "connect"} {
		if equalFold(m, known) {
			return true
		}
	}
	return false
}

// version reads "HTTP/1.x": one digit each, upper case.
func (h *Head) version(b []byte) error {
	if len(b) != 8 || string(b[:5]) != "HTTP/" || b[6] != '.' || b[5]-'0' > 9 || b[7]-'0' > 9 {
		return ErrVersion
	}
	switch {
	case b[5] == '0':
		return ErrVersion
	case b[5] != '1':
		return ErrVersionMajor
	}
	h.Minor = min(int(b[7]-'0'), 1)
	return nil
}

// target reads a request target: origin-form, absolute-form of http, or asterisk-form with OPTIONS. The path and the
// query stay as they are, byte by byte.
func (h *Head) target(t string) error {
	h.Target, h.Host, h.Absolute = t, "", false
	switch {
	case t[0] == '/':
	case t == "*":
		if h.Method != "OPTIONS" {
			return ErrTarget
		}
	default:
		i := strings.Index(t, "://")
		switch {
		case i < 0:
			return ErrTarget
		case equalFold(t[:i], "https"):
			return ErrScheme // nothing that speaks through this package has TLS
		case !equalFold(t[:i], "http"):
			return ErrTarget
		}
		rest := t[i+3:]
		end := strings.IndexAny(rest, "/?")
		if end < 0 {
			end = len(rest)
		}
		h.Host, h.Absolute = rest[:end], true
		if !ValidHost(h.Host) {
			return ErrTarget
		}
		t = rest[end:]
		if t == "" && h.Method == "OPTIONS" {
			t = "*"
		}
	}
	h.Path, h.RawQuery, h.HasQuery = t, "", false
	if i := strings.IndexByte(t, '?'); i >= 0 {
		h.Path, h.RawQuery, h.HasQuery = t[:i], t[i+1:], true
	}
	if h.Path == "" {
		h.Path = "/"
	}
	return nil
}

// ValidHost tells whether s is a host with an optional port: a name of letters, digits, '-', '.', '_' and
// '~', or an IPv6 address in brackets.
func ValidHost(s string) bool {
	if s == "" || len(s) > 255+6 {
		return false
	}
	i := 0
	if s[0] == '[' {
		i = strings.IndexByte(s, ']') + 1
		if i < 4 {
			return false
		}
		for _, c := range s[1 : i-1] {
			if c != ':' && c != '.' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return false
			}
		}
	} else {
		for i < len(s) && class[s[i]]&isHost != 0 {
			i++
		}
		if i == 0 {
			return false
		}
	}
	if i == len(s) {
		return true
	}
	if s[i] != ':' {
		return false
	}
	port := s[i+1:]
	if port == "" {
		return true
	}
	n, ok := decimal(port)
	return ok && len(port) <= 5 && n <= 65535
}

// statusLine reads "HTTP/1.x NNN reason" without its line end (RFC 9112 4). The reason, and the space
// before it, may be absent.
func (h *Head) statusLine(b []byte) error {
	if len(b) < 12 || h.version(b[:8]) != nil || b[8] != ' ' || len(b) > 12 && b[12] != ' ' {
		return ErrStatusLine
	}
	n, ok := decimal(view(b[9:12]))
	if !ok || n < 100 || n > 599 {
		return ErrStatusLine
	}
	h.Status, h.Reason = int(n), ""
	if len(b) > 13 {
		if !validValue(b[13:]) {
			return ErrStatusLine
		}
		h.Reason = view(b[13:])
	}
	return nil
}
