package hostedzone

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/trellis-project/trellis"
)

// illegal are Route 53's names and sentences for values that are none of their type.
var illegal = map[string][2]string{
	"A":     {"ARRDATAIllegalIPv4Address", "Value is not a valid IPv4 address"},
	"AAAA":  {"AAAARRDATAIllegalIPv6Address", "Value is not a valid IPv6 address"},
	"CAA":   {"CAARRDATAInvalid", "Value should consist of an unsigned integer between 0 and 255, followed by a tag and a quoted value"},
	"CNAME": {"DomainLabelInvalid", "Domain label is not valid"},
	"MX":    {"MXRRDATANotTwoFields", "MX record doesn't have 2 fields"},
	"NS":    {"DomainLabelInvalid", "Domain label is not valid"},
	"PTR":   {"DomainLabelInvalid", "Domain label is not valid"},
	"SPF":   {"InvalidCharacterString", "Value should be enclosed in quotation marks"},
	"SRV":   {"SRVRRDATANotFourFields", "SRV record doesn't have 4 fields"},
	"TXT":   {"InvalidCharacterString", "Value should be enclosed in quotation marks"},
}

// quoted is the form of the values of TXT and SPF: strings in quotation marks.
var quoted = regexp.MustCompile(`^("([^"\\]|\\.)*"\s*)+$`)

// faults are the reasons why Route 53 takes a record set in no zone (Route 53 developer guide, ResourceRecordTypes and
// routing-policy).
func faults(s *trellis.RecordSet) (reasons []string) {
	refuse := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	switch {
	case s.Alias != nil && (len(s.Values) > 0 || s.TTL != 0):
		refuse("Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found more than one in Change with [Action=CREATE, Name=%s, Type=%s, SetIdentifier=%s]", s.Name, s.Type, orNull(s.SetIdentifier))
	case s.Alias == nil && len(s.Values) == 0:
		refuse("Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found none in Change with [Action=CREATE, Name=%s, Type=%s, SetIdentifier=%s]", s.Name, s.Type, orNull(s.SetIdentifier))
	}
	if s.Alias != nil {
		if _, err := trellis.RecordName(s.Alias.Name); err != nil {
			refuse("Invalid Resource Record: FATAL problem: DomainLabelInvalid (Domain label is not valid) encountered with '%s'", s.Alias.Name)
		}
		if slices.Contains([]string{"NS", "SOA"}, s.Type) {
			refuse("Alias is not permitted for RRSet of type %s with DNS name %s", s.Type, s.Name)
		}
	}
	seen := map[string]bool{}
	for _, v := range s.Values {
		if seen[v] {
			refuse("Duplicate Resource Record: '%s'", v)
		}
		seen[v] = true
		if !valid(s.Type, v) {
			what := illegal[s.Type]
			if what[0] == "" {
				what = [2]string{s.Type + "RRDATAInvalid", "Value is not valid for the type"}
			}
			refuse("Invalid Resource Record: 'FATAL problem: %s (%s) encountered with '%s''", what[0], what[1], v)
		}
	}
	if s.Type == "CNAME" && len(s.Values) > 1 {
		refuse("RRSet of type CNAME with DNS name %s has more than one value", s.Name)
	}
	policies := policiesOf(s)
	switch {
	case len(policies) > 1:
		refuse("Invalid request: Expected exactly one of [Weight, Region, Failover, GeoLocation, MultiValueAnswer, CidrRoutingConfig, or GeoProximityLocation], but found more than one in Change with [Name=%s, Type=%s, SetIdentifier=%s]", s.Name, s.Type, orNull(s.SetIdentifier))
	case len(policies) == 1 && s.SetIdentifier == "":
		refuse("Invalid request: Missing field 'SetIdentifier' in Change with [Name=%s, Type=%s, SetIdentifier=null]", s.Name, s.Type)
	case len(policies) == 0 && s.SetIdentifier != "":
		refuse("Invalid request: Expected exactly one of [Weight, Region, Failover, GeoLocation, MultiValueAnswer, CidrRoutingConfig, or GeoProximityLocation], but found none in Change with [Name=%s, Type=%s, SetIdentifier=%s]", s.Name, s.Type, s.SetIdentifier)
	}
	if s.HealthCheckID != "" {
		refuse("Health check %s could not be found", s.HealthCheckID) // health checks are not served
	}
	return reasons
}

// orNull is how Route 53 shows what is absent.
func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return s
}

// policiesOf lists the routing policies that a record set has.
func policiesOf(s *trellis.RecordSet) (list []string) {
	p := s.Policy
	for name, has := range map[string]bool{"Weight": p.Weight != nil, "Region": p.Region != "", "Failover": p.Failover != "", "MultiValueAnswer": p.MultiValue,
		"GeoLocation": p.Geo != nil, "GeoProximityLocation": p.GeoProximity != nil, "CidrRoutingConfig": p.CIDRCollection != ""} {
		if has {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// routed names the routing policy of a record set, empty for a simple one.
func routed(s *trellis.RecordSet) string { return strings.Join(policiesOf(s), ",") }

// valid tells whether a value is one of a type's.
func valid(kind, value string) bool {
	if value == "" || strings.ContainsAny(value, "\n\r") || len(value) > 4000 {
		return false
	}
	switch kind {
	case "A", "AAAA":
		a, err := netip.ParseAddr(value)
		return err == nil && a.Is4() == (kind == "A") && a.Zone() == ""
	case "TXT", "SPF":
		if !quoted.MatchString(value) {
			return false
		}
	case "SOA", "NS", "CNAME", "PTR", "MX", "SRV", "NAPTR", "CAA", "DS", "TLSA", "SSHFP", "HTTPS", "SVCB":
		if strings.ContainsAny(value, "()") || kind != "CAA" && kind != "NAPTR" && strings.Contains(value, ";") {
			return false // comments and continued lines of zone files
		}
	default:
		return false
	}
	rr, err := dns.NewRR(". 0 IN " + kind + " " + value)
	return err == nil && rr != nil
}
