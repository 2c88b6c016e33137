package wire_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/route53"
	"github.com/trellis-project/trellis/api/wire"
)

// change is a request of Route 53 with a body.
func change(body string) *wire.Request {
	return &wire.Request{Method: "POST", Path: "/2013-04-01/hostedzone/Z1/rrset/", Body: []byte(body)}
}

// TestHostileXML refuses what would take more than a message is worth, and what declares or names entities.
func TestHostileXML(t *testing.T) {
	c := codec(t, route53.Model())
	for name, body := range map[string]string{
		"deep":            strings.Repeat("<a>", 10_000),
		"deep and closed": strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100),
		"many":            "<a>" + strings.Repeat("<b/>", 200_000) + "</a>",
		"entities":        `<!DOCTYPE a [<!ENTITY x "xxxx">]><a>&x;</a>`,
		"external":        `<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>`,
		"unknown entity":  `<a>&nbsp;</a>`,
		"two roots":       `<a/><b/>`,
		"no root":         `<?xml version="1.0"?>`,
		"not closed":      `<a>`,
		"wrongly closed":  `<a></b>`,
		"no XML":          `{"a":1}`,
		"not UTF-8":       "<a>\xff</a>",
		"encoding":        `<?xml version="1.0" encoding="UTF-16"?><a/>`,
	} {
		if _, err := c.Read(change(body)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	if _, err := c.Read(change("<a>" + strings.Repeat("x<b/>", 90_000) + "</a>")); err != nil { // texts in pieces take no longer than one
		t.Error(err)
	}
}

// TestRestXMLPaths finds operations by paths as different clients write them.
func TestRestXMLPaths(t *testing.T) {
	c := codec(t, route53.Model())
	for request, want := range map[string]string{
		"POST /2013-04-01/hostedzone/Z1/rrset/":                                   "ChangeResourceRecordSets",
		"POST /2013-04-01/hostedzone/Z1/rrset":                                    "ChangeResourceRecordSets",
		"GET /2013-04-01/hostedzone/Z1/rrset":                                     "ListResourceRecordSets",
		"GET /2013-04-01/hostedzone":                                              "ListHostedZones",
		"GET /2013-04-01/hostedzone/":                                             "ListHostedZones",
		"GET /2013-04-01/hostedzone/%2Fhostedzone%2FZ1":                           "GetHostedZone",
		"GET /2013-04-01/testdnsanswer":                                           "",
		"GET /2013-04-01/testdnsanswer?hostedzoneid=Z1&recordname=a&recordtype=A": "TestDNSAnswer",
		"PATCH /2013-04-01/hostedzone":                                            "",
	} {
		method, url, _ := strings.Cut(request, " ")
		r := &wire.Request{Method: method}
		r.Path, r.RawQuery, _ = strings.Cut(url, "?")
		m, err := c.Read(r)
		got := ""
		if err == nil {
			got = m.Operation.Name
		}
		if got != want {
			t.Errorf("%s is %q, want %q: %v", request, got, want, err)
		}
	}
}

// TestRestXMLErrors writes an error in Route 53's form and in that of S3, and reads both.
func TestRestXMLErrors(t *testing.T) {
	e := &trellis.Error{Status: 404, Code: "NoSuchHostedZone", Message: "No <zone>"}
	for bare, want := range map[bool]string{
		false: `<ErrorResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Error><Type>Sender</Type><Code>NoSuchHostedZone</Code><Message>No &lt;zone&gt;</Message></Error><RequestId>id</RequestId></ErrorResponse>`,
		true:  `<Error><Code>NoSuchHostedZone</Code><Message>No &lt;zone&gt;</Message><RequestId>id</RequestId></Error>`,
	} {
		m := route53.Model()
		m.BareErrors = bare
		c := codec(t, m)
		r := c.EncodeError(e, "id")
		if _, got, _ := strings.Cut(string(r.Body), "\n"); got != want || r.Status != 404 {
			t.Errorf("%d %s, want %s", r.Status, got, want)
		}
		if back := c.DecodeError(r); back.Error() != e.Error() {
			t.Errorf("read as %v", back)
		}
	}
}

// FuzzRestXML reads any body as a change of records: no panic, and what was decoded survives being written and read.
func FuzzRestXML(f *testing.F) {
	for _, body := range []string{
		`<?xml version="1.0"?><ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ChangeBatch><Changes><Change><Action>CREATE</Action><ResourceRecordSet><Name>a.b</Name><Type>A</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>`,
		`<a><ChangeBatch><Comment>&lt;&#x41;<![CDATA[<x>]]></Comment><Changes/></ChangeBatch></a>`,
		`<a><ChangeBatch><Changes><Change><ResourceRecordSet><GeoLocation><CountryCode>*</CountryCode></GeoLocation><MultiValueAnswer>true</MultiValueAnswer></ResourceRecordSet></Change></Changes></ChangeBatch></a>`,
		`<!DOCTYPE a [<!ENTITY x "x">]><a>&x;</a>`,
	} {
		f.Add(body)
	}
	c := codec(f, route53.Model())
	f.Fuzz(func(t *testing.T, body string) {
		m, err := c.Read(change(body))
		if err != nil {
			return
		}
		in, problems := c.Decode(m, nil)
		if len(problems) > 0 {
			return
		}
		r := c.EncodeInput(m.Operation, in)
		again, err := c.Read(r)
		if err != nil {
			t.Fatalf("%s: %v", r.Body, err)
		}
		if got, problems := c.Decode(again, nil); !reflect.DeepEqual(got, in) || len(problems) > 0 {
			t.Fatalf("%s: got %s, want %s: %v", r.Body, fmt.Sprint(got), fmt.Sprint(in), problems)
		}
	})
}
