package sigv4

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Codes of the errors of this package (VPC Lattice answers them with status 403).
const (
	CodeIncomplete = "IncompleteSignatureException"
	CodeInvalid    = "InvalidSignatureException"
)

// timeFormat is how a signature writes its time: ISO 8601 basic format in UTC.
const timeFormat = "20060102T150405Z"

// terminator ends every credential scope.
const terminator = "aws4_request"

// Parse finds the signature of a request: in the Authorization header or, presigned, in the query. The bool is
// false for a request that carries none, which is an anonymous one; other schemes of Authorization, such as
// Bearer, belong to the application and do not count. The error is an *Error.
// Of a request signed in its header nothing is allocated, and the strings are parts of the request's.
func Parse(r *Request) (Authorization, bool, error) {
	var a Authorization
	header, n := find(r.Headers, "authorization")
	inQuery := presigned(r.RawQuery)
	inHeader := n > 0 && isAWS(header)
	for i := range r.Headers {
		// A second Authorization field is a second opinion: no signer sends one.
		if n > 1 && fold(r.Headers[i].Name, "authorization") && isAWS(r.Headers[i].Value) {
			inHeader = true
		}
	}
	switch {
	case !inHeader && !inQuery:
		return a, false, nil
	case inHeader && inQuery:
		return a, true, errTwice
	case n > 1:
		return a, true, repeated("Authorization")
	}
	var err error
	if inQuery {
		err = a.parseQuery(r.RawQuery)
	} else {
		err = a.parseHeader(header)
	}
	if err == nil {
		err = a.parseFields(r)
	}
	return a, true, err
}

// errTwice refuses a request with two signatures.
var errTwice = &Error{CodeIncomplete, "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the Authorization header should be specified."}

// isAWS tells whether an Authorization header speaks of an AWS signature of whatever version. "AWS" alone is
// version 2, which no service of today takes.
func isAWS(v string) bool {
	v = trim(v)
	scheme, _, _ := strings.Cut(v, " ")
	return len(scheme) >= 3 && fold(scheme[:3], "aws") && (len(scheme) == 3 || scheme[3] == '4')
}

// presigned tells whether a query holds a signature.
func presigned(q string) bool {
	if !strings.Contains(q, "X-Amz-") { // nearly all requests
		return false
	}
	for len(q) > 0 {
		var p string
		p, q, _ = strings.Cut(q, "&")
		switch k, _, _ := strings.Cut(p, "="); k {
		case "X-Amz-Algorithm", "X-Amz-Signature", "X-Amz-Credential":
			return true
		}
	}
	return false
}

// parseHeader reads "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…".
func (a *Authorization) parseHeader(v string) error {
	v = trim(v)
	algorithm, rest, _ := strings.Cut(v, " ")
	if !a.setAlgorithm(algorithm) {
		return unsupported(algorithm)
	}
	return a.parseParameters(rest)
}

// parseParameters reads what follows the algorithm in an Authorization header.
func (a *Authorization) parseParameters(rest string) error {
	var credential string
	for more := true; more; {
		var p string
		p, rest, more = strings.Cut(rest, ",")
		p = trim(p)
		if p == "" {
			if more {
				continue
			}
			break
		}
		k, val, ok := strings.Cut(p, "=")
		if !ok || k == "" || val == "" {
			return &Error{CodeIncomplete, "'" + printable(p) + "' not a valid key=value pair (missing equal-sign) in Authorization header."}
		}
		var to *string
		switch k {
		case "Credential":
			to = &credential
		case "SignedHeaders":
			to = &a.SignedHeaders
		case "Signature":
			to = &a.Signature
		default:
			return &Error{CodeIncomplete, "'" + printable(k) + "' is not a parameter of the Authorization header."}
		}
		if *to != "" {
			return &Error{CodeIncomplete, "Authorization header has more than one '" + k + "' parameter."}
		}
		*to = val
	}
	if credential == "" || a.SignedHeaders == "" || a.Signature == "" {
		return missing("Authorization header requires '", "' parameter. ", "Authorization="+a.algorithm(), credential, a.SignedHeaders, a.Signature)
	}
	return a.parseCredential(credential)
}

// missing says which of the three parameters are absent, one sentence each, as AWS does.
func missing(prefix, suffix, end, credential, signedHeaders, signature string) error {
	var b strings.Builder
	for _, p := range [...]struct{ name, value string }{
		{"Credential", credential}, {"Signature", signature}, {"SignedHeaders", signedHeaders}} {
		if p.value == "" {
			b.WriteString(prefix + p.name + suffix)
		}
	}
	return &Error{CodeIncomplete, b.String() + end}
}

// algorithm is the name of the algorithm.
func (a *Authorization) algorithm() string {
	if a.Asymmetric {
		return Asymmetric
	}
	return Algorithm
}

// setAlgorithm takes one of the two algorithms.
func (a *Authorization) setAlgorithm(name string) bool {
	a.Asymmetric = name == Asymmetric
	return a.Asymmetric || name == Algorithm
}

// unsupported refuses an algorithm.
func unsupported(algorithm string) error {
	return &Error{CodeIncomplete, "Unsupported AWS 'algorithm': '" + printable(algorithm) + "'."}
}

// parseCredential splits keyid/date/region/service/aws4_request, which of SigV4A has no region.
func (a *Authorization) parseCredential(c string) error {
	whole, ok := c, true
	var part [5]string
	for i := range part {
		if i == 2 && a.Asymmetric {
			continue
		}
		var found bool
		part[i], c, found = strings.Cut(c, "/")
		ok = ok && found == (i < 4) && part[i] != ""
	}
	if !ok && a.Asymmetric {
		return &Error{CodeIncomplete, "Credential must have exactly 4 slash-delimited elements, e.g. keyid/date/service/term, got '" + printable(whole) + "'"}
	}
	if !ok {
		return &Error{CodeIncomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '" + printable(whole) + "'"}
	}
	a.AccessKeyID, a.Date, a.Region, a.Service = part[0], part[1], part[2], part[3]
	if part[4] != terminator {
		return &Error{CodeInvalid, "Credential should be scoped with a valid terminator: 'aws4_request', not '" + printable(part[4]) + "'."}
	}
	return nil
}

// parseQuery reads the X-Amz-* parameters of a presigned URL. Their names are case-sensitive; each occurs once.
func (a *Authorization) parseQuery(q string) error {
	a.Presigned = true
	var algorithm, credential, expires string
	for len(q) > 0 {
		var p string
		p, q, _ = strings.Cut(q, "&")
		k, raw, _ := strings.Cut(p, "=")
		var to *string
		switch k {
		case "X-Amz-Algorithm":
			to = &algorithm
		case "X-Amz-Credential":
			to = &credential
		case "X-Amz-Date":
			to = &a.Timestamp
		case "X-Amz-Expires":
			to = &expires
		case "X-Amz-SignedHeaders":
			to = &a.SignedHeaders
		case "X-Amz-Signature":
			to = &a.Signature
		case "X-Amz-Security-Token":
			to = &a.SessionToken
		case "X-Amz-Content-Sha256":
			to = &a.PayloadHash
		case "X-Amz-Region-Set":
			to = &a.RegionSet
		default:
			continue
		}
		v, err := url.QueryUnescape(raw)
		if err != nil || v == "" || *to != "" {
			return &Error{CodeIncomplete, "AWS query-string parameter '" + k + "' must be present once and have a value."}
		}
		*to = v
	}
	a.PayloadHashSigned = a.PayloadHash != ""
	if !a.setAlgorithm(algorithm) {
		return unsupported(algorithm)
	}
	if credential == "" || a.SignedHeaders == "" || a.Signature == "" {
		return missing("AWS query-string parameters must include 'X-Amz-", "'. ", "Re-examine the query-string parameters.", credential, a.SignedHeaders, a.Signature)
	}
	seconds, err := strconv.Atoi(expires)
	if err != nil || seconds < 1 || seconds > int(MaxExpires/time.Second) {
		return &Error{CodeIncomplete, "X-Amz-Expires must be a number of seconds from 1 to 604800."}
	}
	a.Expires = time.Duration(seconds) * time.Second
	return a.parseCredential(credential)
}

// parseFields reads the header fields that belong to a signature besides Authorization. Each may occur once.
func (a *Authorization) parseFields(r *Request) error {
	token, n := find(r.Headers, "x-amz-security-token")
	if n > 1 {
		return repeated("X-Amz-Security-Token")
	}
	if n == 1 && a.SessionToken == "" {
		a.SessionToken = trim(token)
	}
	if n == 0 && listed(a.SignedHeaders, "x-amz-security-token") {
		return absent("x-amz-security-token") // before anybody looks for the credentials without it
	}
	hash, n := find(r.Headers, "x-amz-content-sha256")
	if n > 1 {
		return repeated("X-Amz-Content-Sha256")
	}
	if n == 1 && a.PayloadHash == "" {
		a.PayloadHash = trim(hash)
		a.PayloadHashSigned = listed(a.SignedHeaders, "x-amz-content-sha256")
	}
	if a.Asymmetric {
		if err := a.parseRegionSet(r); err != nil {
			return err
		}
	}
	if _, n := find(r.Headers, "host"); n > 1 {
		return repeated("Host")
	}
	if !a.Presigned {
		if err := a.parseDate(r); err != nil {
			return err
		}
	}
	t, ok := parseTime(a.Timestamp)
	if !ok {
		return &Error{CodeIncomplete, "Date must be in ISO-8601 'basic format'. Got '" + printable(a.Timestamp) + "'. See http://en.wikipedia.org/wiki/ISO_8601"}
	}
	a.Time = t
	return nil
}

// parseRegionSet finds the regions of SigV4A, which must be signed.
func (a *Authorization) parseRegionSet(r *Request) error {
	if a.Presigned && a.RegionSet != "" {
		return nil
	}
	set, n := find(r.Headers, regionSetHeader)
	if n != 1 || !listed(a.SignedHeaders, regionSetHeader) {
		return &Error{CodeIncomplete, "Request must contain exactly one signed 'X-Amz-Region-Set' header."}
	}
	a.RegionSet = trim(set)
	return nil
}

// parseDate takes the time from X-Amz-Date or else from Date, which may also be in the form of HTTP.
func (a *Authorization) parseDate(r *Request) error {
	v, n := find(r.Headers, "x-amz-date")
	name := "X-Amz-Date"
	if n == 0 {
		v, n = find(r.Headers, "date")
		name = "Date"
	}
	switch {
	case n == 0:
		return &Error{CodeIncomplete, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=" + a.algorithm()}
	case n > 1:
		return repeated(name)
	}
	a.Timestamp = trim(v)
	if name == "Date" {
		if t, err := time.Parse(time.RFC1123, a.Timestamp); err == nil {
			a.Timestamp = t.UTC().Format(timeFormat)
		}
	}
	return nil
}

// absent refuses a signature over a field that is not there.
func absent(name string) error {
	return &Error{CodeIncomplete, "'" + name + "' is named as a SignedHeader, but it does not exist in the HTTP request."}
}

// repeated refuses a field that must not occur twice.
func repeated(name string) error {
	return &Error{CodeIncomplete, "Request must contain exactly one '" + name + "' header."}
}

// parseTime reads YYYYMMDDTHHMMSSZ without allocating, and refuses days and hours that do not exist.
func parseTime(s string) (time.Time, bool) {
	if len(s) != len(timeFormat) || s[8] != 'T' || s[15] != 'Z' {
		return time.Time{}, false
	}
	num := func(from, to int) int {
		n := 0
		for _, c := range []byte(s[from:to]) {
			if c < '0' || c > '9' {
				return -1 << 20
			}
			n = n*10 + int(c-'0')
		}
		return n
	}
	y, mo, d := num(0, 4), num(4, 6), num(6, 8)
	h, mi, sec := num(9, 11), num(11, 13), num(13, 15)
	if y < 0 || mo < 1 || mo > 12 || d < 1 || h < 0 || h > 23 || mi < 0 || mi > 59 || sec < 0 || sec > 59 {
		return time.Time{}, false
	}
	t := time.Date(y, time.Month(mo), d, h, mi, sec, 0, time.UTC)
	return t, t.Day() == d
}

// find returns the first value of a field by its lower-case name, and how many fields have that name.
func find(fields []Field, lower string) (value string, n int) {
	for i := range fields {
		if fold(fields[i].Name, lower) {
			if n == 0 {
				value = fields[i].Value
			}
			n++
		}
	}
	return value, n
}

// fold compares a field name with a lower-case one. Field names are ASCII.
func fold(name, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if c != lower[i] && (c < 'A' || c > 'Z' || c|0x20 != lower[i]) {
			return false
		}
	}
	return true
}

// listed tells whether a name is in a list that is separated by semicolons.
func listed(list, name string) bool {
	for len(list) > 0 {
		var n string
		n, list, _ = strings.Cut(list, ";")
		if n == name {
			return true
		}
	}
	return false
}

// trim removes spaces and tabs at both ends: what HTTP allows around a value, and nothing else.
func trim(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// printable makes a client's text fit for an error of one line: at most 200 bytes, no control characters. The
// result is always a copy.
func printable(s string) string {
	if len(s) > 200 {
		s = s[:200]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(strings.Clone(s), "?"))
}
