package dataplane

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis/http1"
)

// toTarget are the kinds of fields that the network itself writes for a target.
const toTarget = http1.Mask(1<<http1.ForwardedFor | 1<<http1.ForwardedPort | 1<<http1.ForwardedProto | 1<<http1.RequestID)

// toClient are the kinds of fields that the network itself writes for a client.
const toClient = http1.Mask(1 << http1.RequestID)

// appendRequest writes the head that the target gets (VPC Lattice user guide, http-targets).
func (x *exchange) appendRequest(out []byte) []byte {
	h := x.req
	out = http1.AppendRequestLine(out, h)
	drop := toTarget
	if !h.Continue || x.held {
		drop |= 1 << http1.Expect
	}
	out = http1.AppendFields(out, h, drop)
	if h.Absolute && h.Of(http1.Host) == "" {
		out = http1.AppendField(out, "Host", h.Host)
	}
	out = http1.AppendFraming(out, h)
	if x.webSocket {
		out = appendUpgrade(out)
		if x.version == 2 {
			out = http1.AppendField(out, "Sec-WebSocket-Key", x.webSocketKey)
		}
	}
	out = append(out, "x-forwarded-for: "...)
	out = x.appendForwardedFor(out)
	out = append(out, "\r\nx-forwarded-port: "...)
	out = strconv.AppendInt(out, int64(x.l.port), 10)
	out = append(out, "\r\nx-forwarded-proto: "...)
	out = append(out, x.scheme()...)
	if x.caller != nil {
		out = append(out, "\r\nx-amzn-lattice-identity: "...)
		out = x.appendIdentity(out)
		out = append(out, "\r\nx-amzn-lattice-identity-tags: "...)
		out = x.appendIdentityTags(out)
	}
	out = append(out, "\r\nx-amzn-lattice-network: "...)
	out = x.appendNetwork(out)
	out = append(out, "\r\nx-amzn-lattice-target: "...)
	out = x.appendTarget(out)
	out = append(out, "\r\n"...)
	out = http1.AppendField(out, "x-amzn-requestid", x.rec.RequestID)
	return append(out, "\r\n"...)
}

// appendForwardedFor writes who the request is from: what the client says, and the client.
func (x *exchange) appendForwardedFor(out []byte) []byte {
	h := x.req
	for i, k := range h.Kinds {
		if k == http1.ForwardedFor && h.Fields[i].Value != "" {
			out = append(out, h.Fields[i].Value...)
			out = append(out, ", "...)
		}
	}
	if a := x.from.Addr(); a.IsValid() {
		return a.AppendTo(out)
	}
	return append(out, "unknown"...)
}

// appendNetwork writes where the request comes from.
func (x *exchange) appendNetwork(out []byte) []byte {
	return append(append(out, "SourceVpcArn="...), x.vpc.ARN...)
}

// appendTarget writes where the request goes.
func (x *exchange) appendTarget(out []byte) []byte {
	out = append(append(out, "ServiceArn="...), x.service.ARN...)
	out = append(append(out, ";ServiceNetworkArn="...), x.network.ARN...)
	return append(append(out, ";TargetGroupArn="...), x.group.ARN...)
}

// appendIdentity writes who called (VPC Lattice user guide, http-targets): all keys but those of a certificate are always
// there, without a value when there is none.
func (x *exchange) appendIdentity(out []byte) []byte {
	p := &x.caller.Principal
	out = append(out, "Principal="...)
	out = appendSafe(out, p.ARN)
	out = append(out, ";PrincipalOrgID="...)
	out = appendSafe(out, p.OrgID)
	out = append(out, ";PrincipalOrgPath="...)
	out = appendSafe(out, p.OrgPath)
	out = append(out, ";SessionName="...)
	out = appendSafe(out, p.SessionName)
	if c := p.X509; c != nil {
		out = append(out, ";X509Issuer/OU="...)
		out = appendSafe(out, c.IssuerOU)
		out = append(out, ";X509SAN/DNS="...)
		out = appendSafe(out, c.SANDNS)
		out = append(out, ";X509SAN/NameCN="...)
		out = appendSafe(out, c.SANNameCN)
		out = append(out, ";X509SAN/URI="...)
		out = appendSafe(out, c.SANURI)
		out = append(out, ";X509Subject/CN="...)
		out = appendSafe(out, c.SubjectCN)
	}
	return append(out, ";Type=AWS_IAM"...)
}

// maxIdentityTags bounds x-amzn-lattice-identity-tags in bytes: many a server takes a line of 8 KiB and no more. A role and
// its session can have 100 tags with 38,400 characters.
const maxIdentityTags = 4 << 10

// appendIdentityTags writes the tags of who called, sorted by their keys. Those from the first on that has no room are left
// out, and so are those whose key is one of the three in front, which a target may take for what the network says.
func (x *exchange) appendIdentityTags(out []byte) []byte {
	p, start := &x.caller.Principal, len(out)
	out = append(out, "principal="...)
	out = appendSafe(out, p.ARN)
	out = append(out, ";principalorgid="...)
	out = appendSafe(out, p.OrgID)
	out = append(out, ";principalorgpath="...)
	out = appendSafe(out, p.OrgPath)
	if len(p.Tags) == 0 {
		return out
	}
	for _, k := range slices.Sorted(maps.Keys(p.Tags)) {
		if ownKey(k) {
			continue
		}
		before := len(out)
		out = append(out, ';')
		out = appendKey(out, k)
		out = append(out, '=')
		out = appendSafe(out, p.Tags[k])
		if len(out)-start > maxIdentityTags {
			return out[:before]
		}
	}
	return out
}

// ownKey tells whether a tag's key is one that the network itself writes.
func ownKey(k string) bool {
	return strings.EqualFold(k, "principal") || strings.EqualFold(k, "principalorgid") || strings.EqualFold(k, "principalorgpath")
}

// appendSafe writes a value so that it stays one value: semicolons, and backslashes since they tell of semicolons, are
// escaped by a backslash, and control characters, which no field may hold, become '?'. What is not ASCII stays UTF-8.
func appendSafe(out []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c < 0x20 || c == 0x7f:
			out = append(out, '?')
		case c == ';' || c == '\\':
			out = append(out, '\\', c)
		default:
			out = append(out, c)
		}
	}
	return out
}

// appendKey is appendSafe for a tag's key, in which an equals sign is escaped too.
func appendKey(out []byte, k string) []byte {
	for i := strings.IndexByte(k, '='); i >= 0; i = strings.IndexByte(k, '=') {
		out = append(appendSafe(out, k[:i]), '\\', '=')
		k = k[i+1:]
	}
	return appendSafe(out, k)
}

// appendResponse writes the head that the client gets of a target's answer.
func (x *exchange) appendResponse(out []byte) []byte {
	h := x.resp
	out = http1.AppendStatusLine(out, h.Status, h.Reason)
	out = http1.AppendFields(out, h, toClient)
	if !h.Coded || x.req.Minor > 0 {
		out = http1.AppendFraming(out, h)
	}
	if !h.HasDate {
		out = x.w.appendDate(out)
	}
	out = x.appendAnswerFields(out)
	return append(out, "\r\n"...)
}

// appendInterim writes the head of a 1xx answer.
func (x *exchange) appendInterim(out []byte) []byte {
	out = http1.AppendStatusLine(out, x.resp.Status, x.resp.Reason)
	out = http1.AppendFields(out, x.resp, 0)
	return append(out, "\r\n"...)
}
