package trellistest

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
)

// requestIDField is the id of a request in a printed head.
var requestIDField = regexp.MustCompile(`(?im)^x-amzn-requestid: (\S+)`)

// explain runs `trellis explain` as an account's administrator, and returns what it printed, errors too.
func (tr *Trellis) explain(t *testing.T, account string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), Program(t), append([]string{"explain"}, args...)...)
	cmd.Env = tr.environment(t, account)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// explainedAs asks as an account why the request was decided as it was whose head was printed.
func (tr *Trellis) explainedAs(t *testing.T, account, head string) trellis.Explanation {
	t.Helper()
	id := requestIDField.FindStringSubmatch(head)
	if id == nil {
		t.Fatalf("no request id in %q", head)
	}
	out, err := tr.explain(t, account, "-o", "json", id[1])
	var got struct{ Explanations []trellis.Explanation }
	if err != nil || json.Unmarshal([]byte(out), &got) != nil || len(got.Explanations) != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	return got.Explanations[0]
}

// explainGuide asks why the guide's policies let requests through or not, as the account that wrote them and as another.
func explainGuide(t *testing.T, tr *Trellis, instance, url string) {
	t.Helper()
	request := func(args ...string) (id string) {
		t.Helper()
		out := tr.Inside(t, instance, append([]string{Program(t), "request", url}, args...)...)
		found := requestIDField.FindStringSubmatch(out)
		if found == nil {
			t.Fatalf("no request id in %s", out)
		}
		return found[1]
	}
	posted, read, unsigned := request("--sign", "-X", "POST"), request("--sign"), request()
	for _, c := range []struct {
		name, id string
		want     []string // patterns
	}{
		{"POST", posted, []string{`(?m)^verdict +denied by the layer Service$`, `(?m)^principal +arn:aws:sts::444455556666:assumed-role/checkout-service/i-\w+ \(by Signature\)$`,
			`(?m)^service-based +- +implicit deny +- +no statement allows the request$`,
			`(?m)^ +AllowCheckoutToReadOrders \d+:\d+ +StringEquals vpc-lattice-svcs:RequestMethod at \d+:\d+ wants "GET", and was "POST"$`,
			`(?m)^network-based +- +allow +Statement\[0\] \d+:\d+ +`}},
		{"GET", read, []string{`(?m)^verdict +allowed$`, `(?m)^service-based +- +allow +AllowCheckoutToReadOrders \d+:\d+ +`, `(?m)^identity-based +inline policy invoke +allow +Statement\[0\] `}},
		{"unsigned", unsigned, []string{`(?m)^verdict +denied by the layer Service$`, `(?m)^principal +Anonymous$`, `(?m)^service-based +- +explicit deny +DenyAnonymous \d+:\d+ +`,
			`(?m)^network-based +- +implicit deny +- +no statement allows the request$`,
			`(?m)^ +Statement\[0\] \d+:\d+ +StringEquals aws:PrincipalOrgID at \d+:\d+ wants "o-\w+", and is absent$`}},
	} {
		out, err := tr.explain(t, account444, c.id)
		if err != nil {
			t.Errorf("%s: %v: %s", c.name, err, out)
		}
		for _, want := range c.want {
			if !regexp.MustCompile(want).MatchString(out) {
				t.Errorf("%s: %s is not in\n%s", c.name, want, out)
			}
		}
		if out, err := tr.explain(t, "", c.id); err == nil || !strings.Contains(out, "ResourceNotFoundException") || strings.Contains(out, "AllowCheckout") {
			t.Errorf("%s: another account was told %v: %s", c.name, err, out)
		}
	}
}
