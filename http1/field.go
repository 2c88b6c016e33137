package http1

import "strings"

// Field is one field line: the name as it came, and the value without the white space around it.
type Field = struct{ Name, Value string }

// Kind says which field it is, for those that a proxy treats in a way of their own.
type Kind uint8

// The kinds of fields.
const (
	Other Kind = iota
	Host
	ContentLength
	TransferEncoding
	Connection
	HopByHop // Keep-Alive, Proxy-Connection, Proxy-Authenticate, Proxy-Authorization, TE, Upgrade, HTTP2-Settings
	Trailer
	Expect
	Date
	UserAgent
	Authorization
	ContentSHA256  // x-amz-content-sha256
	ForwardedFor   // x-forwarded-for
	ForwardedPort  // x-forwarded-port
	ForwardedProto // x-forwarded-proto
	RequestID      // x-amzn-requestid
	Lattice        // x-amzn-lattice-…: what only the network may say
	Shadow         // a name that becomes one of the others when '_', '.' and the like are read as '-', as CGI and WSGI do
	MaxForwards    // counts down with OPTIONS and TRACE
	Confusable     // a name that is Content-Length or Transfer-Encoding by its letters: a request with one is refused
)

// known are the fields that have a kind, by the length of their name.
var known = [21][]struct {
	name string
	kind Kind
}{
	2:  {{"te", HopByHop}},
	4:  {{"host", Host}, {"date", Date}},
	6:  {{"expect", Expect}},
	7:  {{"upgrade", HopByHop}, {"trailer", Trailer}},
	10: {{"connection", Connection}, {"user-agent", UserAgent}, {"keep-alive", HopByHop}},
	12: {{"max-forwards", MaxForwards}},
	13: {{"authorization", Authorization}},
	14: {{"content-length", ContentLength}, {"http2-settings", HopByHop}},
	15: {{"x-forwarded-for", ForwardedFor}},
	16: {{"x-forwarded-port", ForwardedPort}, {"x-amzn-requestid", RequestID}, {"proxy-connection", HopByHop}},
	17: {{"transfer-encoding", TransferEncoding}, {"x-forwarded-proto", ForwardedProto}},
	18: {{"proxy-authenticate", HopByHop}},
	19: {{"proxy-authorization", HopByHop}},
	20: {{"x-amz-content-sha256", ContentSHA256}},
}

// latticePrefix begins the names of the fields that tell a target who called; no client may send them.
const latticePrefix = "x-amzn-lattice-"

// KindOf tells the kind of a field by its name.
func KindOf(name string) Kind {
	if len(name) < len(known) {
		for _, k := range known[len(name)] {
			if same, under := alike(name, k.name); same {
				switch {
				case !under:
					return k.kind
				case k.kind == ContentLength, k.kind == TransferEncoding:
					return Confusable
				}
				return Shadow
			}
		}
	}
	if len(name) < len("content-length") {
		return Other
	}
	if len(name) >= len(latticePrefix) {
		if same, under := alike(name[:len(latticePrefix)], latticePrefix); same {
			if under {
				return Shadow
			}
			return Lattice
		}
	}
	if spells(name, "contentlength") || spells(name, "transferencoding") {
		return Confusable
	}
	return Other
}

// spells tells whether the letters and digits of a name are those of a text, with something else between them.
func spells(name, lower string) bool {
	n := 0
	for i := range len(name) {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9') {
			continue
		}
		if n == len(lower) || c != lower[n] {
			return false
		}
		n++
	}
	return n == len(lower) && n < len(name)
}

// alike compares s with a lower-case name of the same length, ignoring case and reading '_' and all else that is
// neither letter nor digit as '-'. under tells that something was read so.
func alike(s, lower string) (same, under bool) {
	for i := range len(lower) {
		c := s[i]
		if c == lower[i] {
			continue
		}
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		} else if lower[i] == '-' && !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9') {
			c, under = '-', true
		}
		if c != lower[i] {
			return false, false
		}
	}
	return true, under
}

// nextToken cuts the first element off a comma-separated list. The element is empty where the list has an
// empty one.
func nextToken(list string) (token, rest string) {
	token, rest, _ = strings.Cut(list, ",")
	return strings.Trim(token, " \t"), rest
}
