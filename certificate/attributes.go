package certificate

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
)

// The fields of certificates that session tags are made of (IAM Roles Anywhere API reference, AttributeMapping).
const (
	FieldSubject = "x509Subject"
	FieldIssuer  = "x509Issuer"
	FieldSAN     = "x509SAN"
)

// attributeNames are how parts of a name are called (RFC 4519, and OpenSSL's short names).
var attributeNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "SERIALNUMBER", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET",
	"2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "T", "2.5.4.17": "POSTALCODE", "2.5.4.42": "GN", "2.5.4.43": "INITIALS",
	"2.5.4.44": "GENERATION", "2.5.4.46": "DNQUALIFIER", "2.5.4.65": "PSEUDONYM",
	"0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC", "1.2.840.113549.1.9.1": "E",
}

// dotted is the form of an object identifier that stands for a part of a name.
var dotted = regexp.MustCompile(`^[0-2](\.(0|[1-9][0-9]{0,9})){1,15}$`)

// IsSpecifier tells whether a specifier names a part of a field: *, a part of a name, or for alternative names DNS, URI and
// Name/ with a part of a name.
func IsSpecifier(field, specifier string) bool {
	if field == FieldSAN {
		if specifier == "*" || specifier == "DNS" || specifier == "URI" {
			return true
		}
		part, ok := strings.CutPrefix(specifier, "Name/")
		return ok && IsSpecifier(FieldSubject, part)
	}
	if specifier == "*" || dotted.MatchString(specifier) {
		return true
	}
	for _, name := range attributeNames {
		if name == specifier {
			return true
		}
	}
	return false
}

// DefaultRules are those of a new profile (IAM Roles Anywhere user guide, attribute-mapping).
func DefaultRules() []trellis.X509Rule {
	return []trellis.X509Rule{
		{Field: FieldIssuer, Specifiers: []string{"*"}},
		{Field: FieldSAN, Specifiers: []string{"DNS", "URI", "Name/*"}},
		{Field: FieldSubject, Specifiers: []string{"*"}},
	}
}

// Attributes are what a certificate says of its subject, its issuer and other names of the subject: values by
// field/specifier, such as x509Subject/CN and x509SAN/Name/CN. A name's part that occurs more than once has its values
// joined by slashes; of alternative names only the first of each sort counts (IAM Roles Anywhere user guide,
// attribute-mapping).
type Attributes map[string]string

// AttributesOf reads those of a certificate. It fails on alternative names that are not as RFC 5280, section 4.2.1.6, has
// them.
func AttributesOf(c *x509.Certificate) (Attributes, error) {
	a := Attributes{}
	a.add(FieldSubject, c.Subject)
	a.add(FieldIssuer, c.Issuer)
	for _, e := range c.Extensions {
		if e.Id.Equal(oidSAN) {
			if err := a.addSAN(e.Value); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

// add adds the parts of a name.
func (a Attributes) add(field string, n pkix.Name) {
	for _, part := range n.Names {
		id := part.Type.String()
		name, ok := attributeNames[id]
		if !ok {
			name = id
		}
		key := field + "/" + name
		value := fmt.Sprint(part.Value)
		if before, more := a[key]; more {
			value = before + "/" + value
		}
		a[key] = value
	}
}

// The tags of general names (RFC 5280, section 4.2.1.6).
const (
	tagDNS       = 2
	tagDirectory = 4
	tagURI       = 6
)

// addSAN adds the first alternative name of each sort.
func (a Attributes) addSAN(der []byte) error {
	var names asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &names); err != nil || len(rest) > 0 || names.Tag != asn1.TagSequence || !names.IsCompound {
		return fmt.Errorf("the alternative names are not a sequence")
	}
	directory := false
	for rest := names.Bytes; len(rest) > 0; {
		var n asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &n); err != nil {
			return fmt.Errorf("the alternative names can't be read: %w", err)
		}
		if n.Class != asn1.ClassContextSpecific {
			continue
		}
		switch n.Tag {
		case tagDNS, tagURI:
			key := FieldSAN + "/DNS"
			if n.Tag == tagURI {
				key = FieldSAN + "/URI"
			}
			if _, second := a[key]; !second {
				a[key] = string(n.Bytes)
			}
		case tagDirectory:
			if directory {
				continue
			}
			directory = true
			var parts pkix.RDNSequence
			if more, err := asn1.Unmarshal(n.Bytes, &parts); err != nil || len(more) > 0 {
				return fmt.Errorf("the directory name among the alternative names can't be read")
			}
			var name pkix.Name
			name.FillFromRDNSequence(&parts)
			a.add(FieldSAN+"/Name", name)
		}
	}
	return nil
}

// Tags are session tags by the rules of a profile.
func (a Attributes) Tags(rules []trellis.X509Rule) map[string]string {
	tags := map[string]string{}
	for key, value := range a {
		field, specifier, _ := strings.Cut(key, "/")
		for _, r := range rules {
			if r.Field == field && slices.ContainsFunc(r.Specifiers, func(s string) bool { return covers(s, specifier) }) {
				tags[key] = value
			}
		}
	}
	return tags
}

// covers tells whether a rule's specifier means a part.
func covers(rule, part string) bool {
	if head, all := strings.CutSuffix(rule, "*"); all {
		return strings.HasPrefix(part, head)
	}
	return rule == part
}

// CommonName is the common name of the subject, empty without one.
func (a Attributes) CommonName() string { return a[FieldSubject+"/CN"] }

// X509 is what identity headers and access logs show.
func (a Attributes) X509() *trellis.X509 {
	return &trellis.X509{IssuerOU: a[FieldIssuer+"/OU"], SubjectCN: a.CommonName(), SANNameCN: a[FieldSAN+"/Name/CN"],
		SANDNS: a[FieldSAN+"/DNS"], SANURI: a[FieldSAN+"/URI"]}
}

// SerialHex is the number of a certificate as the name of a session has it: two hexadecimal digits for each byte.
func SerialHex(c *x509.Certificate) string {
	return hex.EncodeToString(c.SerialNumber.FillBytes(make([]byte, max(1, (c.SerialNumber.BitLen()+7)/8))))
}
