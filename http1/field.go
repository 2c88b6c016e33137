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
	Shadow         // a name that becomes one of the others when '_' is read as '-', as CGI and WSGI do
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
				if under {
					return Shadow
				}
				return k.kind
			}
		}
	}
	if len(name) >= len(latticePrefix) {
		if same, under := alike(name[:len(latticePrefix)], latticePrefix); same {
			if under {
				return Shadow
			}
			return Lattice
		}
	}
	return Other
}

// alike compares s with a lower-case name of the same length, ignoring case and reading '_' as '-'.
// under tells that a '_' was read so.
func alike(s, lower string) (same, under bool) {
	for i := range len(lower) {
		c := s[i]
		if c == lower[i] {
			continue
		}
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		} else if c == '_' {
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
