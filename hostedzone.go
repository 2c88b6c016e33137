package trellis

import (
	"fmt"
	"hash/fnv"
	"net/url"
	"slices"
	"strings"
)

// HostedZone is a zone of DNS in Route 53. Its records are RecordSets. A private one answers in its VPCs.
type HostedZone struct {
	Meta                      // ID is Z and 20 capital letters and digits, unique in the installation
	Name            string    `json:"name"` // lower case, with the last dot
	CallerReference string    `json:"callerReference"`
	Comment         string    `json:"comment,omitempty"`
	Private         bool      `json:"private,omitempty"`
	VPCs            []ZoneVPC `json:"vpcs,omitempty"`       // that a private zone answers in
	Authorized      []ZoneVPC `json:"authorized,omitempty"` // whose owners may associate them; Account is empty
}

// ZoneVPC is a VPC as Route 53 names it.
type ZoneVPC struct {
	Region string `json:"region"`
	VPC    Ref    `json:"vpc"`
}

// Kind is KindHostedZone.
func (*HostedZone) Kind() Kind { return KindHostedZone }

// ARN is arn:aws:route53:::hostedzone/Z…, the same in all regions.
func (z *HostedZone) ARN() string { return HostedZoneARN(z.ID) }

// HostedZoneARN is the ARN of a hosted zone, which tells neither region nor account (Service Authorization Reference,
// Amazon Route 53).
func HostedZoneARN(id string) string { return "arn:aws:route53:::hostedzone/" + id }

// NameServers are the four name servers of a zone, in the order of AWS's answers. Those of private zones are always
// the same (Route 53 developer guide, hosted-zone-private-considerations).
func (z *HostedZone) NameServers() []string {
	var n uint32
	if !z.Private {
		h := fnv.New32a()
		_, _ = h.Write([]byte(z.ID)) // never fails
		n = h.Sum32()
	}
	server := func(block uint32, top string) string {
		i := n >> (8 * block) % 512
		return fmt.Sprintf("ns-%d.awsdns-%02d.%s", 512*block+i, i/8, top)
	}
	return []string{server(0, "com"), server(1, "net"), server(2, "org"), server(3, "co.uk")}
}

// RecordSet is the records of one name and type in a hosted zone, or one of several that a routing policy chooses from.
type RecordSet struct {
	Meta                        // ID is made by RecordSetID
	ZoneID        string        `json:"zoneId"`
	Name          string        `json:"name"` // as RecordName gives it
	Type          string        `json:"type"` // for example A
	SetIdentifier string        `json:"setIdentifier,omitempty"`
	TTL           int64         `json:"ttl,omitempty"` // seconds; zero of an alias
	Values        []string      `json:"values,omitempty"`
	Alias         *AliasTarget  `json:"alias,omitempty"`
	Policy        RoutingPolicy `json:"policy,omitzero"`
	HealthCheckID string        `json:"healthCheckId,omitempty"`
}

// AliasTarget is what an alias has the records of.
type AliasTarget struct {
	ZoneID         string `json:"zoneId"` // of the target's zone, of AWS or ours
	Name           string `json:"name"`   // as RecordName gives it
	EvaluateHealth bool   `json:"evaluateHealth,omitempty"`
}

// RoutingPolicy is by what one of several record sets of a name and type is chosen: one of its members.
type RoutingPolicy struct {
	Weight          *int64            `json:"weight,omitempty"`
	Region          string            `json:"region,omitempty"`   // latency
	Failover        string            `json:"failover,omitempty"` // PRIMARY or SECONDARY
	MultiValue      bool              `json:"multiValue,omitempty"`
	Geo             *GeoLocation      `json:"geo,omitempty"`
	GeoProximity    map[string]string `json:"geoProximity,omitempty"` // AWSRegion, LocalZoneGroup, Latitude, Longitude, Bias
	CIDRCollection  string            `json:"cidrCollection,omitempty"`
	CIDRLocation    string            `json:"cidrLocation,omitempty"`
	TrafficInstance string            `json:"trafficInstance,omitempty"`
}

// GeoLocation is where those are whom a record set is for (Route 53 API, GeoLocation).
type GeoLocation struct {
	Continent   string `json:"continent,omitempty"`
	Country     string `json:"country,omitempty"` // * stands for all others
	Subdivision string `json:"subdivision,omitempty"`
}

// Kind is KindRecordSet.
func (*RecordSet) Kind() Kind { return KindRecordSet }

// Key is account/zone/id.
func (r *RecordSet) Key() string { return r.Account + "/" + r.ZoneID + "/" + r.ID }

// RecordSetID is the id of the record set of a name, type and set identifier in its zone.
func RecordSetID(name, kind, identifier string) string {
	return url.PathEscape(name + "|" + kind + "|" + identifier)
}

// RecordSetsOf is what the ids of all record sets of a name begin with.
func RecordSetsOf(name string) string { return url.PathEscape(name + "|") }

// CompareRecordNames orders names as Route 53 does: by their labels from the last to the first, each with its dot
// (Route 53 API, ListResourceRecordSets).
func CompareRecordNames(a, b string) int { return strings.Compare(reversed(a), reversed(b)) }

// reversed is a name with its labels in reverse order, for example com.example.www.
func reversed(name string) string {
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".") + "."
}

// RecordName gives a domain name the form that Route 53 keeps and shows: lower case, with a last dot, and other
// characters than letters, digits, - and _ as \ooo in octal, the * of a wildcard too (Route 53 developer guide,
// DomainNameFormat).
func RecordName(name string) (string, error) {
	var b strings.Builder
	label := 0
	name = strings.TrimSuffix(name, ".")
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '.' {
			if label == 0 {
				return "", fmt.Errorf("an empty label")
			}
			b.WriteByte('.')
			label = 0
			continue
		}
		if c == '\\' {
			if i+3 >= len(name) || !octal(name[i+1]) || !octal(name[i+2]) || !octal(name[i+3]) || name[i+1] > '3' {
				return "", fmt.Errorf("an escape that is not \\ and three octal digits")
			}
			c = (name[i+1]-'0')<<6 | (name[i+2]-'0')<<3 | (name[i+3] - '0')
			i += 3
		}
		switch {
		case c >= 'A' && c <= 'Z':
			b.WriteByte(c | 0x20)
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\%03o`, c)
		}
		if label++; label > 63 {
			return "", fmt.Errorf("a label with more than 63 characters")
		}
	}
	if label == 0 && name != "" {
		return "", fmt.Errorf("an empty label")
	}
	if b.Len() > 1024 || strings.Count(b.String(), `\`) == 0 && b.Len() > 254 {
		return "", fmt.Errorf("more than 255 characters")
	}
	return b.String() + ".", nil
}

// octal tells whether c is an octal digit.
func octal(c byte) bool { return c >= '0' && c <= '7' }

// ChooseRecordSets returns, of the record sets of one name and type, those that answer a question: the one whose routing
// policy chooses it, or with multivalue answers up to eight. None has a health check that fails, since health checks are
// not served. random gives a number below n.
func ChooseRecordSets(sets []*RecordSet, region string, random func(n int64) int64) []*RecordSet {
	if len(sets) <= 1 {
		return sets
	}
	first := sets[0].Policy
	switch {
	case first.Weight != nil:
		var total int64
		for _, s := range sets {
			total += s.Policy.weight()
		}
		if total == 0 { // all weights are zero: each is as likely
			return sets[random(int64(len(sets))):][:1]
		}
		at := random(total)
		for i, s := range sets {
			if at -= s.Policy.weight(); at < 0 {
				return sets[i : i+1]
			}
		}
	case first.MultiValue:
		from := int(random(int64(len(sets))))
		return slices.Concat(sets[from:], sets[:from])[:min(len(sets), 8)]
	}
	best := slices.IndexFunc(sets, func(s *RecordSet) bool {
		p := s.Policy
		return p.Region == region && region != "" || p.Failover == "PRIMARY" || p.Geo != nil && p.Geo.Country == "*" || p.CIDRLocation == "*"
	})
	return sets[max(best, 0):][:1]
}

// weight is the weight, zero without one.
func (p *RoutingPolicy) weight() int64 {
	if p.Weight == nil {
		return 0
	}
	return *p.Weight
}
