package sigv4

import (
	"bytes"
	"slices"
	"strings"
)

// form is one of the ways in which signers write a canonical request. AWS's own rule is the zero value; signers differ
// from it in corners, and each form names the request as exactly. The path has one form.
type form struct {
	rawQuery bool // sort the query's parameters but leave their encoding, as botocore does with a URL's query
	tabs     bool // fold runs of spaces only, as aws-sdk-go-v2 and the SDK for Rust do, and not of tabs
}

// forms are the forms that Verify tries, the usual one first.
var forms = [...]form{{}, {rawQuery: true}, {tabs: true}, {rawQuery: true, tabs: true}}

// same tells whether the form writes a request as a form before it does, without looking closely.
func (f form) same(r *Request) bool {
	return f.rawQuery && r.RawQuery == "" || f.tabs && !hasTab(r.Headers)
}

// hasTab tells whether a value has a tab inside.
func hasTab(fields []Field) bool {
	for i := range fields {
		if strings.IndexByte(trim(fields[i].Value), '\t') >= 0 {
			return true
		}
	}
	return false
}

// param is one parameter of a query, as offsets into the buffer that holds it encoded: key [k:e], value [v:w].
type param struct{ k, e, v, w int }

// appendCanonical appends the canonical request to b and returns where it begins. What stands in front of it
// is scratch. The path is written byte by byte as it is on the wire, encoded once more; dot segments and empty ones
// stay (docs/decisions/0010-one-form-of-the-path.md). With encode false it is not even encoded (S3).
func appendCanonical(b []byte, r *Request, a *Authorization, payloadHash string, encode bool, f form) ([]byte, int, error) {
	var few [32]param // more parameters than this are kept on the heap
	b, params := appendParams(b, r.RawQuery, a.Presigned, f.rawQuery, few[:0])
	sortParams(b, params)

	start := len(b)
	b = append(b, r.Method...)
	b = append(b, '\n')
	switch {
	case r.Path == "":
		b = append(b, '/')
	case encode:
		b = appendEncodedPath(b, r.Path)
	default:
		b = append(b, r.Path...)
	}
	b = append(b, '\n')
	for i, p := range params {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, b[p.k:p.e]...)
		b = append(b, '=')
		b = append(b, b[p.v:p.w]...)
	}
	b = append(b, '\n')
	b, err := appendHeaders(b, r, a.SignedHeaders, f.tabs)
	if err != nil {
		return b, start, err
	}
	b = append(b, '\n')
	b = append(b, a.SignedHeaders...)
	b = append(b, '\n')
	b = append(b, payloadHash...)
	return b, start, nil
}

// appendHeaders appends "name:value\n" for every signed header in the order of the list, which must be
// lower-case, sorted, free of doubles and hold host and what must be signed. Values of repeated fields are joined by
// commas.
func appendHeaders(b []byte, r *Request, list string, tabs bool) (_ []byte, err error) {
	host, amz, all := false, 0, list
	for prev, more := "", true; more; {
		var name string
		name, list, more = strings.Cut(list, ";")
		if name <= prev || !isLowerToken(name) {
			return b, &Error{CodeIncomplete, "SignedHeaders must be a sorted list of lower-case header names, got '" + printable(name) + "'."}
		}
		prev = name
		b = append(b, name...)
		b = append(b, ':')
		n := 0
		for i := range r.Headers {
			if fold(r.Headers[i].Name, name) {
				if n > 0 {
					b = append(b, ',')
				}
				b = appendFolded(b, r.Headers[i].Value, tabs)
				n++
			}
		}
		if name == "host" {
			host = true
			if n == 0 && r.Host != "" {
				b = appendFolded(b, r.Host, tabs)
				n++
			}
		}
		if n == 0 {
			return b, absent(name)
		}
		if mustBeSigned(name) {
			amz += n
		}
		b = append(b, '\n')
	}
	if !host {
		return b, &Error{CodeInvalid, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."}
	}
	for i := range r.Headers {
		if mustBeSigned(r.Headers[i].Name) {
			amz--
		}
	}
	if amz != 0 {
		err = unsignedHeader(r, all)
	}
	return b, err
}

// mustBeSigned tells whether a header may not come along unsigned: x-amz-* ("Create a signed AWS API request" in the
// IAM user guide), which say to AWS's services what is meant. Three may, since they are added after the signature: the
// session token, where a service wants it so (its key is worth nothing with another one), CloudFront's mark, and what an
// SDK tells of itself in a browser.
func mustBeSigned(name string) bool {
	const prefix, token, mark, agent = "x-amz-", "x-amz-security-token", "x-amz-cf-id", "x-amz-user-agent"
	if len(name) <= len(prefix) || name[0]|0x20 != 'x' || !fold(name[:len(prefix)], prefix) {
		return false
	}
	return !fold(name, token) && !fold(name, mark) && !fold(name, agent)
}

// unsignedHeader refuses a request for the first header that must be signed and is not.
func unsignedHeader(r *Request, list string) error {
	for i := range r.Headers {
		if name := r.Headers[i].Name; mustBeSigned(name) && !listed(list, strings.ToLower(name)) {
			return &Error{CodeInvalid, "'" + printable(name) + "' must be a 'SignedHeader' in the AWS Authorization."}
		}
	}
	return nil
}

// isLowerToken tells whether s is a header name in lower case (RFC 9110, token).
func isLowerToken(s string) bool {
	for i := range len(s) {
		if !lowerToken[s[i]] {
			return false
		}
	}
	return s != ""
}

// lowerToken are the characters of a token that are no capitals.
var lowerToken = func() (t [256]bool) {
	for c := range 128 {
		t[c] = c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0
	}
	return t
}()

// appendFolded appends a header value without spaces and tabs at its ends, and with runs of them as one space. With
// tabs set, those inside stay.
func appendFolded(b []byte, v string, tabs bool) []byte {
	v = trim(v)
	if (tabs || strings.IndexByte(v, '\t') < 0) && !strings.Contains(v, "  ") { // nearly all values
		return append(b, v...)
	}
	gap := false
	for i := range len(v) {
		c := v[i]
		if c == ' ' || c == '\t' && !tabs {
			gap = true
			continue
		}
		if gap {
			b = append(b, ' ')
			gap = false
		}
		b = append(b, c)
	}
	return b
}

// plainPath tells whether a path has neither dot segments nor empty ones: whether signers that normalize it and
// signers that do not agree about it. Only literal dots count: %2e is a segment as any other.
func plainPath(p string) bool {
	return !strings.Contains(p, "//") && !strings.Contains(p, "/./") && !strings.Contains(p, "/../") &&
		!strings.HasSuffix(p, "/.") && !strings.HasSuffix(p, "/..")
}

// appendEncodedPath appends a path with everything encoded but unreserved characters and slashes: a percent
// sign of the wire becomes %25.
func appendEncodedPath(b []byte, p string) []byte {
	for i := range len(p) {
		if p[i] == '/' {
			b = append(b, '/')
		} else {
			b = appendEncodedByte(b, p[i])
		}
	}
	return b
}

// upperHex are the digits of percent-encoding, which signatures write in upper case.
const upperHex = "0123456789ABCDEF"

// unreserved are the characters that are never encoded (RFC 3986 section 2.3).
var unreserved = func() (t [256]bool) {
	for c := range 256 {
		t[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			c == '-' || c == '.' || c == '_' || c == '~'
	}
	return t
}()

// appendEncodedByte appends one byte, percent-encoded unless unreserved.
func appendEncodedByte(b []byte, c byte) []byte {
	if unreserved[c] {
		return append(b, c)
	}
	return append(b, '%', upperHex[c>>4], upperHex[c&15])
}

// appendParams appends the query's parameters to b, one after the other, and returns where each stands. The
// signature of a presigned URL does not sign itself.
func appendParams(b []byte, q string, presigned, raw bool, params []param) ([]byte, []param) {
	for more := q != ""; more; {
		var p string
		p, q, more = strings.Cut(q, "&")
		if p == "" && !raw {
			continue
		}
		k, v, _ := strings.Cut(p, "=")
		if presigned && k == "X-Amz-Signature" {
			continue
		}
		at := param{k: len(b)}
		b = appendQueryPart(b, k, raw)
		at.e, at.v = len(b), len(b)
		b = appendQueryPart(b, v, raw)
		at.w = len(b)
		params = append(params, at)
	}
	return b, params
}

// appendQueryPart appends a key or value: as it is, or decoded and encoded again, so that every spelling of the
// same text has one form. A plus sign is a space, as in a form; a broken escape is a literal percent sign.
func appendQueryPart(b []byte, s string, raw bool) []byte {
	if raw {
		return append(b, s...)
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0:
			c = byte(unhex(s[i+1])<<4 | unhex(s[i+2]))
			i += 2
		}
		b = appendEncodedByte(b, c)
	}
	return b
}

// unhex is the value of a hexadecimal digit, -1 for other bytes.
func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// sortParams sorts by encoded key, then by encoded value, byte by byte.
func sortParams(b []byte, params []param) {
	if len(params) < 2 {
		return
	}
	slices.SortFunc(params, func(x, y param) int {
		if c := bytes.Compare(b[x.k:x.e], b[y.k:y.e]); c != 0 {
			return c
		}
		return bytes.Compare(b[x.v:x.w], b[y.v:y.w])
	})
}
