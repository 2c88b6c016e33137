package accesslog

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"
)

// Record is what is known of one request when it is over. Texts that are empty and addresses that are not
// valid are written as "-". The names in the JSON form are AWS's (VPC Lattice user guide,
// monitoring-access-logs).
type Record struct {
	ServiceNetworkARN string
	ServiceARN        string
	TargetGroupARN    string
	ListenerID        string
	ListenerType      string // HTTP, HTTPS or TLS_PASSTHROUGH

	SourceVPCARN     string
	SourceVPCID      string
	DestinationVPCID string
	Source           netip.AddrPort // sourceIpPort, the client
	Target           netip.AddrPort // targetIpPort, not valid when no target was asked

	Start     time.Time
	Protocol  string // HTTP/1.1 or HTTP/2
	Method    string
	Path      string
	Host      string
	UserAgent string
	RequestID string

	ResponseCode       int
	BytesReceived      int64         // from the client, head and body
	BytesSent          int64         // to the client, head and body
	Duration           time.Duration // start to last byte out
	RequestToTarget    time.Duration // start to last byte sent to the target, 0 when none was asked
	ResponseFromTarget time.Duration // first byte read from the target to last byte out

	TLSCipher  string // OpenSSL's name
	TLSVersion string // for example TLSv1.2
	ServerName string // SNI

	ResolvedUser         string // an ARN, Anonymous or Unknown
	AuthDeniedReason     string // Service, Network or Identity
	CallerPrincipal      string // ARN
	CallerPrincipalOrgID string
	CallerPrincipalTags  string // a JSON object as text

	CallerX509IssuerOU  string
	CallerX509SubjectCN string
	CallerX509SANNameCN string
	CallerX509SANDNS    string
	CallerX509SANURI    string
	GRPC                bool // the answer had a grpc-status
	GRPCResponseCode    int
	FailureReason       string // for example ClientAccessDenied or TargetConnectionError

	// Members of our own, which stand behind AWS's and are left out when they are empty.
	PrincipalSource  string // how the caller is known: Signature, Network or Certificate; empty when anonymous
	AuthDeniedDetail string // why the request was denied, in one line, as far as the service's owner may know it
	// NetworkDetail is AuthDeniedDetail for the service network's subscriptions, when its owner may know something else.
	NetworkDetail string
}

// startLayout is how startTime is written: to the second.
const startLayout = "2006-01-02T15:04:05Z"

// AppendJSON appends the record as one JSON object to b. It allocates only when b has to grow.
func (r *Record) AppendJSON(b []byte) []byte {
	b = append(b, '{')
	b = plain(b, `"serviceNetworkArn":"`, r.ServiceNetworkARN)
	b = text(b, `"resolvedUser":"`, r.ResolvedUser)
	b = plain(b, `"listenerType":"`, r.ListenerType)
	b = plain(b, `"authDeniedReason":"`, r.AuthDeniedReason)
	b = plain(b, `"targetGroupArn":"`, r.TargetGroupARN)
	b = plain(b, `"sourceVpcArn":"`, r.SourceVPCARN)
	b = plain(b, `"destinationVpcId":"`, r.DestinationVPCID)
	b = addrPort(b, `"sourceIpPort":"`, r.Source)
	b = plain(b, `"listenerId":"`, r.ListenerID)
	b = addrPort(b, `"targetIpPort":"`, r.Target)
	b = plain(b, `"failureReason":"`, r.FailureReason)
	b = plain(b, `"serviceArn":"`, r.ServiceARN)
	b = plain(b, `"sourceVpcId":"`, r.SourceVPCID)
	b = append(b, `"startTime":"`...)
	b = appendSecond(b, r.Start)
	b = append(b, `",`...)
	b = text(b, `"requestMethod":"`, r.Method)
	b = text(b, `"requestPath":"`, r.Path)
	b = plain(b, `"protocol":"`, r.Protocol)
	b = number(b, `"responseCode":`, int64(r.ResponseCode))
	b = number(b, `"bytesReceived":`, r.BytesReceived)
	b = number(b, `"bytesSent":`, r.BytesSent)
	b = number(b, `"duration":`, r.Duration.Milliseconds())
	b = text(b, `"userAgent":"`, r.UserAgent)
	b = text(b, `"hostHeader":"`, r.Host)
	b = text(b, `"serverNameIndication":"`, r.ServerName)
	b = number(b, `"requestToTargetDuration":`, r.RequestToTarget.Milliseconds())
	b = number(b, `"responseFromTargetDuration":`, r.ResponseFromTarget.Milliseconds())
	b = text(b, `"sslCipher":"`, r.TLSCipher)
	b = text(b, `"tlsVersion":"`, r.TLSVersion)
	b = text(b, `"requestId":"`, r.RequestID)
	if r.GRPC {
		b = number(b, `"grpcResponseCode":`, int64(r.GRPCResponseCode))
	}
	if r.CallerPrincipal == "" && r.CallerX509SubjectCN == "" {
		return r.appendOwn(append(b, anonymous...))
	}
	b = text(b, `"callerPrincipal":"`, r.CallerPrincipal)
	b = text(b, `"callerPrincipalOrgID":"`, r.CallerPrincipalOrgID)
	b = text(b, `"callerPrincipalTags":"`, r.CallerPrincipalTags)
	b = text(b, `"callerX509IssuerOU":"`, r.CallerX509IssuerOU)
	b = text(b, `"callerX509SubjectCN":"`, r.CallerX509SubjectCN)
	b = text(b, `"callerX509SANNameCN":"`, r.CallerX509SANNameCN)
	b = text(b, `"callerX509SANDNS":"`, r.CallerX509SANDNS)
	b = text(b, `"callerX509SANURI":"`, r.CallerX509SANURI)
	return r.appendOwn(b)
}

// appendOwn ends the object with the members that AWS does not have.
func (r *Record) appendOwn(b []byte) []byte {
	if r.PrincipalSource != "" {
		b = plain(b, `"principalSource":"`, r.PrincipalSource)
	}
	if r.AuthDeniedDetail != "" {
		b = text(b, `"authDeniedDetail":"`, r.AuthDeniedDetail)
	}
	b[len(b)-1] = '}' // in place of the last comma
	return b
}

// anonymous are the members about the caller of a request without a known one.
const anonymous = `"callerPrincipal":"-","callerPrincipalOrgID":"-","callerPrincipalTags":"-","callerX509IssuerOU":"-",` +
	`"callerX509SubjectCN":"-","callerX509SANNameCN":"-","callerX509SANDNS":"-","callerX509SANURI":"-",`

// text appends a member with a text and a comma; "-" stands for an empty one. begin is the member up to its value.
func text(b []byte, begin, value string) []byte {
	b = append(b, begin...)
	if value == "" {
		return append(b, `-",`...)
	}
	return append(escape(b, value), `",`...)
}

// plain is text for a value of our own making, in which nothing needs an escape: ids, ARNs of services and networks.
func plain(b []byte, begin, value string) []byte {
	b = append(b, begin...)
	if value == "" {
		return append(b, `-",`...)
	}
	b = append(b, value...)
	return append(b, `",`...)
}

// appendSecond appends a time as "2006-01-02T15:04:05Z", which AppendFormat does at twice the price.
func appendSecond(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	if year < 1000 || year > 9999 {
		return t.AppendFormat(b, startLayout)
	}
	two := func(n int) (byte, byte) { return byte('0' + n/10), byte('0' + n%10) }
	y1, y2 := two(year / 100)
	y3, y4 := two(year % 100)
	m1, m2 := two(int(month))
	d1, d2 := two(day)
	h1, h2 := two(hour)
	n1, n2 := two(minute)
	s1, s2 := two(second)
	return append(b, y1, y2, y3, y4, '-', m1, m2, '-', d1, d2, 'T', h1, h2, ':', n1, n2, ':', s1, s2, 'Z')
}

// number appends a member with a number and a comma.
func number(b []byte, begin string, value int64) []byte {
	b = append(b, begin...)
	b = strconv.AppendInt(b, value, 10)
	return append(b, ',')
}

// addrPort appends a member ip:port and a comma; an IPv4 address in IPv6 form is written as IPv4.
func addrPort(b []byte, begin string, a netip.AddrPort) []byte {
	if !a.IsValid() {
		return text(b, begin, "")
	}
	b = append(b, begin...)
	b = netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).AppendTo(b)
	return append(b, `",`...)
}

// clean tells for each byte whether it stands for itself inside of a JSON string.
var clean = func() (t [256]bool) {
	for c := 0x20; c < 0x7f; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// cleanWord tells whether eight bytes are all clean.
func cleanWord(w uint64) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	zero := func(x uint64) uint64 { return (x - ones) & ^x } // its high bits: bytes that are 0
	below := (w - ones*0x20) & ^w
	return (w|below|zero(w^ones*0x7f)|zero(w^ones*'"')|zero(w^ones*'\\'))&highs == 0
}

// escape appends s as the inside of a JSON string. What is not UTF-8, as bytes of a request may be, becomes
// the replacement character.
func escape(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	for i := 0; i < len(s); {
		from := i
		for i+8 <= len(s) && cleanWord(binary.LittleEndian.Uint64([]byte(s[i:i+8]))) {
			i += 8
		}
		for i < len(s) && clean[s[i]] {
			i++
		}
		b = append(b, s[from:i]...)
		if i == len(s) {
			break
		}
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
			i++
		case c < utf8.RuneSelf:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			i++
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r)
			i += n
		}
	}
	return b
}
