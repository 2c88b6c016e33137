package daemon

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
)

// update rewrites testdata with what is answered now.
var update = flag.Bool("update", false, "rewrite testdata")

// TestMetadataTokens holds tokens to their instance, their time and their key.
func TestMetadataTokens(t *testing.T) {
	m, other := newMetadata(nil), newMetadata(nil)
	now := time.Unix(1_700_000_000, 0)
	token := m.token("111122223333/i-1", now.Add(time.Minute))
	later := other.token("111122223333/i-1", now.Add(2*time.Hour))
	forged := later[:10] + token[10:] // the expiry of one, the MAC of the other
	for _, c := range []struct {
		name     string
		by       *metadata
		instance string
		token    string
		at       time.Time
		want     time.Duration
	}{
		{"its own", m, "111122223333/i-1", token, now, time.Minute},
		{"expired", m, "111122223333/i-1", token, now.Add(time.Minute), 0},
		{"another instance", m, "111122223333/i-2", token, now, 0},
		{"another process", other, "111122223333/i-1", token, now, 0},
		{"later expiry", m, "111122223333/i-1", forged, now.Add(time.Hour), 0},
		{"cut", m, "111122223333/i-1", token[:8], now, 0},
		{"none", m, "111122223333/i-1", "", now, 0},
		{"not base64", m, "111122223333/i-1", "!", now, 0},
	} {
		if got := c.by.left(c.instance, c.token, c.at); got != c.want {
			t.Errorf("%s: %v left, want %v", c.name, got, c.want)
		}
	}
}

// TestMetadataIssue asks for tokens in the ways that are refused.
func TestMetadataIssue(t *testing.T) {
	m := newMetadata(nil)
	for _, c := range []struct {
		method, ttl, forwarded string
		want                   int
	}{
		{http.MethodPut, "60", "", http.StatusOK},
		{http.MethodPut, "21600", "", http.StatusOK},
		{http.MethodPut, "21601", "", http.StatusBadRequest},
		{http.MethodPut, "0", "", http.StatusBadRequest},
		{http.MethodPut, "", "", http.StatusBadRequest},
		{http.MethodGet, "60", "", http.StatusMethodNotAllowed},
		{http.MethodPut, "60", "10.0.0.1", http.StatusForbidden},
	} {
		r := httptest.NewRequest(c.method, "/latest/api/token", nil)
		r.Header.Set("X-aws-ec2-metadata-token-ttl-seconds", c.ttl)
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		w := httptest.NewRecorder()
		m.issue(w, r, "111122223333/i-1")
		if w.Code != c.want {
			t.Errorf("%+v: status %d", c, w.Code)
		}
		if c.want == http.StatusOK && m.left("111122223333/i-1", w.Body.String(), time.Now()) <= 0 {
			t.Errorf("%+v: the token does not hold", c)
		}
	}
}

// TestMetadataTree asks for the paths of testdata/metadata.txt: each begins with "> ", and its answer follows.
func TestMetadataTree(t *testing.T) {
	const file = "testdata/metadata.txt"
	made := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	in := &metadataOf{Instance: &trellis.Instance{Meta: trellis.Meta{Account: "111122223333", ID: "i-0123456789abcdef0", CreatedAt: made, UpdatedAt: made},
		VPCID: "vpc-1", SubnetID: "subnet-1", PrivateIP: netip.MustParseAddr("10.0.0.10"), IPv6: netip.MustParseAddr("2001:db8::10"), MAC: "0a:00:00:00:00:01",
		InterfaceID: "eni-1", SecurityGroupIDs: []string{"sg-1", "sg-2"}, ImageID: "ami-1", InstanceType: "t3.micro", RoleARN: "arn:aws:iam::111122223333:role/app/checkout",
		ReservationID: "r-1", LaunchIndex: 2,
		Profile: &trellis.ProfileAssociation{ID: "iip-assoc-1", ProfileARN: "arn:aws:iam::111122223333:instance-profile/shop", ProfileID: "AIPA0123456789ABCDEFG"}},
		vpc:    &trellis.VPC{CIDR: netip.MustParsePrefix("10.0.0.0/16"), MoreCIDRs: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, IPv6CIDR: netip.MustParsePrefix("2001:db8::/56")},
		region: "eu-west-1", zones: []trellis.Zone{{Name: "eu-west-1b", ID: "euw1-az2"}}, hostname: "ip-10-0-0-10.eu-west-1.compute.internal", role: "checkout"}
	subnet := &trellis.Subnet{CIDR: netip.MustParsePrefix("10.0.0.0/24"), IPv6CIDR: netip.MustParsePrefix("2001:db8::/64"), AvailabilityZone: "eu-west-1b"}
	second := &trellis.ElasticNetworkInterface{Meta: trellis.Meta{Account: "111122223333", ID: "eni-2"}, VPCID: "vpc-1", SubnetID: "subnet-1", MAC: "0a:00:00:00:00:02",
		IPv4: []netip.Addr{netip.MustParseAddr("10.0.0.20"), netip.MustParseAddr("10.0.0.21")}, SecurityGroupIDs: []string{"sg-2"}, Attachment: &trellis.InterfaceAttachment{DeviceIndex: 1}}
	in.interfaces = []metadataInterface{{in.FirstInterface(), subnet, []string{"default", "web"}, in.hostname}, {second, subnet, []string{"web"}, "ip-10-0-0-20.eu-west-1.compute.internal"}}
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for line := range strings.Lines(string(script)) {
		path, asked := strings.CutPrefix(line, "> /")
		if !asked {
			continue
		}
		version, rest, _ := strings.Cut(strings.TrimSuffix(path, "\n"), "/")
		text, ok := in.find(version, rest)
		if !ok {
			text = "404"
		}
		fmt.Fprintf(&got, "%s%s\n\n", line, text)
	}
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got.String() != string(script) {
		t.Errorf("got\n%s", got.String())
	}
}

// FuzzMetadataPath asks for any path: only values and folders are answered, and a folder's names lead to more.
func FuzzMetadataPath(f *testing.F) {
	for _, path := range []string{"", "meta-data", "meta-data/iam/security-credentials/", "meta-data//iam", "../etc", "meta-data/mac/x", "dynamic/", "/", "meta-data/%2e%2e"} {
		f.Add("latest", path)
	}
	in := &metadataOf{Instance: &trellis.Instance{MAC: "0a:00:00:00:00:01", RoleARN: "arn:aws:iam::111122223333:role/checkout"}, vpc: &trellis.VPC{}, role: "checkout"}
	in.interfaces = []metadataInterface{{in.FirstInterface(), &trellis.Subnet{}, nil, "host"}}
	values := in.values()
	f.Fuzz(func(t *testing.T, version, path string) {
		text, ok := in.find(version, path)
		if value, known := values[strings.TrimSuffix(path, "/")]; !ok || known && text == value {
			return
		}
		for name := range strings.SplitSeq(text, "\n") {
			if _, ok := in.find(version, strings.TrimPrefix(strings.TrimSuffix(path, "/")+"/"+name, "/")); !ok {
				t.Errorf("%q has %q, which is not there", path, name)
			}
		}
	})
}
