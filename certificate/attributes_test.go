package certificate_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"maps"
	"net/url"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/certificate"
)

// sanOf is the extension with these alternative names, each a tag and its bytes.
func sanOf(t testing.TB, names ...asn1.RawValue) pkix.Extension {
	t.Helper()
	der, err := asn1.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: der}
}

// generalName is one alternative name.
func generalName(tag int, compound bool, b []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: compound, Bytes: b}
}

// directoryName is a directory name among alternative names.
func directoryName(t testing.TB, n pkix.Name) asn1.RawValue {
	t.Helper()
	der, err := asn1.Marshal(n.ToRDNSequence())
	if err != nil {
		t.Fatal(err)
	}
	return generalName(4, true, der)
}

// TestAttributes reads what certificates say, and makes session tags of it.
func TestAttributes(t *testing.T) {
	root := authority(t, "root", nil, nil)
	c := sign(t, root, nil, func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "orders", Organization: []string{"Example"}, OrganizationalUnit: []string{"Shop", "Web"}, Country: []string{"IE"},
			ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: "x"}}}
		c.ExtraExtensions = []pkix.Extension{sanOf(t,
			generalName(1, false, []byte("a@example.com")), generalName(2, false, []byte("orders.example.com")), generalName(2, false, []byte("second.example.com")),
			directoryName(t, pkix.Name{CommonName: "directory"}), directoryName(t, pkix.Name{CommonName: "another"}),
			generalName(6, false, []byte("spiffe://example.org/orders")))}
	})
	a, err := certificate.AttributesOf(c.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{
		"x509Subject/CN": "orders", "x509Subject/O": "Example", "x509Subject/OU": "Web/Shop", "x509Subject/C": "IE", "x509Subject/1.2.3.4": "x",
		"x509Issuer/CN": "root", "x509Issuer/OU": "Platform",
		"x509SAN/DNS": "orders.example.com", "x509SAN/URI": "spiffe://example.org/orders", "x509SAN/Name/CN": "directory",
	}
	if got := a.Tags(certificate.DefaultRules()); !maps.Equal(got, all) {
		t.Errorf("by default: %v", got)
	}
	for name, test := range map[string]struct {
		rules []trellis.X509Rule
		want  map[string]string
	}{
		"none":            {nil, map[string]string{}},
		"one part":        {[]trellis.X509Rule{{Field: "x509Subject", Specifiers: []string{"CN"}}}, map[string]string{"x509Subject/CN": "orders"}},
		"another number":  {[]trellis.X509Rule{{Field: "x509Subject", Specifiers: []string{"1.2.3.4", "1.2.3"}}}, map[string]string{"x509Subject/1.2.3.4": "x"}},
		"a name's parts":  {[]trellis.X509Rule{{Field: "x509SAN", Specifiers: []string{"Name/*"}}}, map[string]string{"x509SAN/Name/CN": "directory"}},
		"a field's":       {[]trellis.X509Rule{{Field: "x509Issuer", Specifiers: []string{"*"}}}, map[string]string{"x509Issuer/CN": "root", "x509Issuer/OU": "Platform"}},
		"what is not one": {[]trellis.X509Rule{{Field: "x509SAN", Specifiers: []string{"URI", "O"}}}, map[string]string{"x509SAN/URI": "spiffe://example.org/orders"}},
	} {
		if got := a.Tags(test.rules); !maps.Equal(got, test.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got, want := *a.X509(), (trellis.X509{IssuerOU: "Platform", SubjectCN: "orders", SANNameCN: "directory", SANDNS: "orders.example.com", SANURI: "spiffe://example.org/orders"}); got != want {
		t.Errorf("%+v", got)
	}
	svid := sign(t, root, nil, func(c *x509.Certificate) {
		c.Subject, c.URIs = pkix.Name{}, []*url.URL{{Scheme: "spiffe", Host: "example.org", Path: "/pay"}}
	})
	if a, err := certificate.AttributesOf(svid.Certificate); err != nil || a.CommonName() != "" || a.X509().SANURI != "spiffe://example.org/pay" {
		t.Errorf("a SPIFFE id: %v, %v", a, err)
	}
}

// TestIsSpecifier tells specifiers apart.
func TestIsSpecifier(t *testing.T) {
	for s, want := range map[[2]string]bool{
		{"x509Subject", "*"}: true, {"x509Subject", "CN"}: true, {"x509Issuer", "OU"}: true, {"x509Issuer", "2.5.4.97"}: true,
		{"x509SAN", "*"}: true, {"x509SAN", "DNS"}: true, {"x509SAN", "URI"}: true, {"x509SAN", "Name/*"}: true, {"x509SAN", "Name/CN"}: true, {"x509SAN", "Name/1.2.3"}: true,
		{"x509Subject", ""}: false, {"x509Subject", "DNS"}: false, {"x509Subject", "cn"}: false, {"x509Subject", "Name/CN"}: false, {"x509Issuer", "3.1"}: false,
		{"x509Issuer", "1"}: false, {"x509SAN", "CN"}: false, {"x509SAN", "Name/"}: false, {"x509SAN", "Email"}: false,
	} {
		if certificate.IsSpecifier(s[0], s[1]) != want {
			t.Errorf("%v: want %t", s, want)
		}
	}
}
