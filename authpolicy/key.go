package authpolicy

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
)

// keyKind is what a condition key asks.
type keyKind int

// The condition keys that a Request answers by its own fields (VPC Lattice user guide, auth-policies; IAM user
// guide, reference_policies_condition-keys). All others come from Request.Extra and Caller.Context.
const (
	extraKey keyKind = iota
	portKey
	methodKey
	pathKey
	headerKey
	queryKey
	networkARNKey
	serviceARNKey
	sourceVPCKey
	sourceVPCOwnerKey
	principalARNKey
	principalAccountKey
	principalOrgKey
	principalOrgPathsKey
	principalTypeKey
	principalTagKey
	principalIsServiceKey
	principalServiceKey
	userIDKey
	userNameKey
	resourceTagKey
	resourceAccountKey
	sourceIPKey
	currentTimeKey
	epochTimeKey
	secureTransportKey
	regionKey
	userAgentKey
	refererKey
	tokenIssueTimeKey
	mfaPresentKey
	federatedProviderKey
	viaServiceKey
	sourceIdentityKey
	resourceOrgKey
	resourceOrgPathsKey
)

// keyKinds are the keys by their names in lower case. A name that ends in a slash has a further name after it.
var keyKinds = map[string]keyKind{
	"vpc-lattice-svcs:port":                  portKey,
	"vpc-lattice-svcs:requestmethod":         methodKey,
	"vpc-lattice-svcs:requestpath":           pathKey,
	"vpc-lattice-svcs:requestheader/":        headerKey,
	"vpc-lattice-svcs:requestquerystring/":   queryKey,
	"vpc-lattice-svcs:servicenetworkarn":     networkARNKey,
	"vpc-lattice-svcs:servicearn":            serviceARNKey,
	"vpc-lattice-svcs:sourcevpc":             sourceVPCKey,
	"vpc-lattice-svcs:sourcevpcowneraccount": sourceVPCOwnerKey,
	"aws:principalarn":                       principalARNKey,
	"aws:principalaccount":                   principalAccountKey,
	"aws:principalorgid":                     principalOrgKey,
	"aws:principalorgpaths":                  principalOrgPathsKey,
	"aws:principaltype":                      principalTypeKey,
	"aws:principaltag/":                      principalTagKey,
	"aws:principalisawsservice":              principalIsServiceKey,
	"aws:principalservicename":               principalServiceKey,
	"aws:principalservicenameslist":          principalServiceKey,
	"aws:userid":                             userIDKey,
	"aws:username":                           userNameKey,
	"aws:resourcetag/":                       resourceTagKey,
	"ec2:resourcetag/":                       resourceTagKey,
	"iam:resourcetag/":                       resourceTagKey,
	"aws:resourceorgid":                      resourceOrgKey,
	"aws:resourceorgpaths":                   resourceOrgPathsKey,
	"aws:resourceaccount":                    resourceAccountKey,
	"aws:sourceip":                           sourceIPKey,
	"aws:sourcevpc":                          sourceVPCKey,
	"aws:currenttime":                        currentTimeKey,
	"aws:epochtime":                          epochTimeKey,
	"aws:securetransport":                    secureTransportKey,
	"aws:requestedregion":                    regionKey,
	"aws:useragent":                          userAgentKey,
	"aws:referer":                            refererKey,
	"aws:tokenissuetime":                     tokenIssueTimeKey,
	"aws:multifactorauthpresent":             mfaPresentKey,
	"aws:federatedprovider":                  federatedProviderKey,
	"aws:viaawsservice":                      viaServiceKey,
	"aws:sourceidentity":                     sourceIdentityKey,
}

// otherGlobal are the global keys that no field of a Request answers: those of calls that services make for a caller, of
// VPC endpoints of the API, and of tags in a request. Request.Extra may have them.
var otherGlobal = map[string]bool{
	"aws:assumedroot": true, "aws:calledvia": true, "aws:calledviaawsmcp": true, "aws:calledviafirst": true, "aws:calledvialast": true,
	"aws:chatbotsourcearn": true, "aws:ec2instancesourceprivateipv4": true, "aws:ec2instancesourcevpc": true, "aws:ismcpserviceaction": true,
	"aws:multifactorauthage": true, "aws:requesttag/": true, "aws:signinsessionarn": true, "aws:sourceaccount": true, "aws:sourcearn": true,
	"aws:sourceorgid": true, "aws:sourceorgpaths": true, "aws:sourceowner": true, "aws:sourcevpcarn": true, "aws:sourcevpce": true,
	"aws:tagkeys": true, "aws:viaawsmcpservice": true, "aws:vpceaccount": true, "aws:vpceorgid": true, "aws:vpceorgpaths": true,
	"aws:vpcsourceip": true,
}

// key is a compiled condition key.
type key struct {
	kind  keyKind
	name  string // after the slash: of a header in lower case, else as written
	extra string // whole name in lower case, for Request.Extra
	text  string // whole name as written
}

// keyError says what is wrong with a condition key.
type keyError struct{ code, message string }

// parseKey compiles a condition key. The names of keys are not case-sensitive, but those of query parameters
// are. Keys of AWS's own (aws:) and of this data plane (vpc-lattice-svcs:) must be known: an unknown one is a slip of
// the pen that a condition would never meet.
func parseKey(text string) (*key, *keyError) {
	prefix, name, ok := strings.Cut(text, ":")
	tag := strings.IndexByte(text, '/')
	head := text
	if tag >= 0 {
		head = text[:tag]
	}
	if !ok || prefix == "" || name == "" || strings.ContainsAny(text, "\t\r\n*?${}") || strings.Contains(head, " ") {
		return nil, &keyError{"INVALID_CONDITION_KEY_FORMAT", "the condition key " + quote(text) + " is malformed"}
	}
	k := &key{extra: strings.ToLower(text), text: text}
	base := k.extra
	if tag >= 0 {
		base, k.name = k.extra[:tag+1], text[tag+1:]
		if k.name == "" {
			return nil, &keyError{"MISSING_TAG_KEY_IN_CONDITION", "the condition key " + quote(text) + " names nothing after its slash"}
		}
	}
	k.kind = keyKinds[base]
	switch {
	case k.kind != extraKey:
	case strings.HasPrefix(base, "vpc-lattice-svcs:"):
		return nil, &keyError{"INVALID_SERVICE_CONDITION_KEY", "there is no condition key " + quote(text) + "; vpc-lattice-svcs has Port, RequestMethod, " +
			"RequestPath, RequestHeader/name, RequestQueryString/name, ServiceNetworkArn, ServiceArn, SourceVpc and SourceVpcOwnerAccount"}
	case strings.HasPrefix(base, "aws:") && !otherGlobal[base]:
		return nil, &keyError{"INVALID_GLOBAL_CONDITION_KEY", "there is no global condition key " + quote(text)}
	}
	if k.kind == headerKey {
		k.name = strings.ToLower(k.name)
	}
	return k, nil
}

// value is one value of a condition key.
type value struct {
	kind valueKind
	text string
	n    int64 // a number, or a time in seconds since 1970
	addr netip.Addr
}

// valueKind is the type of a value.
type valueKind int

// The types of values. Values of Request.Extra are texts, which operators read as what they compare.
const (
	textValue valueKind = iota
	numberValue
	timeValue
	addrValue
)

// text returns a value that is a text.
func text(s string) value { return value{text: s} }

// append prints the value.
func (v *value) append(b []byte) []byte {
	switch v.kind {
	case numberValue:
		return strconv.AppendInt(b, v.n, 10)
	case timeValue:
		return time.Unix(v.n, 0).UTC().AppendFormat(b, time.RFC3339)
	case addrValue:
		return v.addr.AppendTo(b)
	}
	return append(b, v.text...)
}

// string is the value as operators of strings see it.
func (v *value) string() string {
	if v.kind == textValue {
		return v.text
	}
	return string(v.append(nil))
}

// noMore is the position after the one value of a key that has no others.
const noMore = -1

// value returns the next value of the key at or after position pos (0 at first) and the position after it. Not
// ok means that there are no more; a key without any value is absent from the request.
func (k *key) value(r *Request, pos int) (v value, next int, ok bool) {
	if pos == noMore {
		return v, pos, false
	}
	if r.Override != nil {
		if vs, told := r.Override[k.extra]; told {
			return nth(vs, pos)
		}
	}
	switch k.kind {
	case headerKey:
		return header(r, k.name, pos)
	case userAgentKey, refererKey:
		name := "user-agent"
		if k.kind == refererKey {
			name = "referer"
		}
		if v, next, ok = header(r, name, pos); ok || r.Headers != nil {
			return v, next, ok
		}
	case queryKey:
		return queryValue(r.RawQuery, k.name, pos)
	case extraKey:
	default:
		if v, ok = k.single(r); ok {
			return v, noMore, true
		}
	}
	vs := r.Extra[k.extra]
	if vs == nil && r.Caller != nil {
		vs = r.Caller.Context[k.extra]
	}
	return nth(vs, pos)
}

// nth is one of several texts.
func nth(vs []string, pos int) (value, int, bool) {
	if pos < len(vs) {
		return text(vs[pos]), pos + 1, true
	}
	return value{}, pos, false
}

// single answers the keys that have at most one value.
func (k *key) single(r *Request) (value, bool) {
	switch k.kind {
	case portKey:
		return value{kind: numberValue, n: int64(r.Port)}, r.Port != 0
	case methodKey:
		return present(r.Method)
	case pathKey:
		return present(r.Path)
	case networkARNKey:
		return present(r.ServiceNetworkARN)
	case serviceARNKey:
		return present(r.ServiceARN)
	case sourceVPCKey:
		return present(r.SourceVPC)
	case sourceVPCOwnerKey:
		return present(r.SourceVPCOwner)
	case resourceTagKey:
		return tag(r.ResourceTags, k.name)
	case resourceAccountKey:
		return present(arnPart(r.Resource, 4))
	case regionKey:
		return present(arnPart(r.Resource, 3))
	case sourceIPKey:
		return value{kind: addrValue, addr: r.SourceIP}, r.SourceIP.IsValid()
	case currentTimeKey:
		return value{kind: timeValue, n: r.Now.Unix()}, !r.Now.IsZero()
	case epochTimeKey:
		return value{kind: numberValue, n: r.Now.Unix()}, !r.Now.IsZero()
	case secureTransportKey:
		return truth(r.SecureTransport), true
	case viaServiceKey:
		return truth(false), true // no service calls another in a caller's name here
	case resourceOrgKey:
		return present(r.ResourceOrgID)
	case resourceOrgPathsKey:
		return present(r.ResourceOrgPath)
	}
	return k.principal(r)
}

// principal answers the keys about the caller. An anonymous one has nothing but its type.
func (k *key) principal(r *Request) (value, bool) {
	if anonymous(r.Caller) {
		return text(string(trellis.PrincipalAnonymous)), k.kind == principalTypeKey
	}
	p := &r.Caller.Principal
	service := p.Type == trellis.PrincipalService
	switch k.kind {
	case principalARNKey:
		if service {
			return value{}, false
		}
		return present(policyARN(p))
	case principalAccountKey:
		return present(p.Account)
	case principalOrgKey:
		return present(p.OrgID)
	case principalOrgPathsKey:
		return present(p.OrgPath)
	case principalTypeKey:
		return present(string(p.Type))
	case principalTagKey:
		return tag(p.Tags, k.name)
	case principalIsServiceKey:
		return truth(service), true
	case principalServiceKey:
		return present(p.Service)
	case userIDKey:
		return present(p.UserID)
	case userNameKey:
		if p.Type != trellis.PrincipalUser {
			return value{}, false
		}
		return present(trellis.LastPart(p.ARN))
	case tokenIssueTimeKey:
		return value{kind: timeValue, n: p.TokenIssuedAt.Unix()}, !p.TokenIssuedAt.IsZero()
	case mfaPresentKey: // in requests with temporary credentials only; nobody has a second factor here
		return truth(false), !p.TokenIssuedAt.IsZero()
	case federatedProviderKey:
		return present(p.FederatedProvider)
	case sourceIdentityKey:
		return present(p.SourceIdentity)
	}
	return value{}, false
}

// anonymous tells whether nobody signed.
func anonymous(c *Caller) bool { return c == nil || c.Principal.Type == trellis.PrincipalAnonymous }

// policyARN is the ARN that policies name a principal by.
func policyARN(p *trellis.Principal) string {
	if p.PolicyARN != "" {
		return p.PolicyARN
	}
	return p.ARN
}

// present is a text that is absent when empty.
func present(s string) (value, bool) { return text(s), s != "" }

// truth is a boolean as policies write it.
func truth(b bool) value {
	if b {
		return text("true")
	}
	return text("false")
}

// tag finds a tag by its key: as written, or else without regard to case.
func tag(tags map[string]string, name string) (value, bool) {
	if v, ok := tags[name]; ok {
		return text(v), true
	}
	found, n := "", 0
	for k, v := range tags {
		if strings.EqualFold(k, name) {
			found = v
			n++
		}
	}
	return text(found), n == 1
}

// arnPart returns one of the first five parts of an ARN, empty for what is none.
func arnPart(arn string, i int) string {
	if !strings.HasPrefix(arn, "arn:") {
		return ""
	}
	for range i {
		_, arn, _ = strings.Cut(arn, ":")
	}
	p, _, _ := strings.Cut(arn, ":")
	return p
}

// header returns the fields of a name one by one.
func header(r *Request, name string, pos int) (value, int, bool) {
	for i := pos; i < len(r.Headers); i++ {
		if foldEqual(r.Headers[i].Name, name) {
			return text(r.Headers[i].Value), i + 1, true
		}
	}
	return value{}, pos, false
}

// queryValue returns the parameters of a name one by one, decoded; pos is an offset into the query.
func queryValue(q, name string, pos int) (value, int, bool) {
	for pos < len(q) {
		p := q[pos:]
		if i := strings.IndexByte(p, '&'); i >= 0 {
			p = p[:i]
		}
		pos += len(p) + 1
		if p == "" {
			continue
		}
		k, v, _ := strings.Cut(p, "=")
		if k == name || len(k) >= len(name) && decoded(k) == name {
			return text(decoded(v)), pos, true
		}
	}
	return value{}, pos, false
}

// decoded decodes a part of a query when it needs to be. A broken escape stays as it is.
func decoded(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	d, err := url.QueryUnescape(s)
	if err != nil {
		return s
	}
	return d
}
