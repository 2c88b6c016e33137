package quota_test

import (
	"errors"
	"os"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
	"github.com/trellis-project/trellis/store/storetest"
)

// shared is the one store of the tests: each works in an account of its own.
var shared *store.Store

// TestMain runs the store.
func TestMain(m *testing.M) { os.Exit(storetest.Main(m, &shared)) }

// caller is a user of an account with one identity policy.
func caller(t *testing.T, account, policy string) *authpolicy.Caller {
	t.Helper()
	p, err := authpolicy.Parse(policy, authpolicy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	arn := trellis.IAMARN(account, "user/tester")
	return &authpolicy.Caller{Principal: trellis.Principal{Type: trellis.PrincipalUser, Account: account, ARN: arn, PolicyARN: arn}, Identity: authpolicy.Policies{{Policy: p}}}
}

// admin may do everything.
func admin(t *testing.T, account string) *authpolicy.Caller {
	return caller(t, account, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
}

// code is the code of the error that a client would see, empty for none.
func code(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*trellis.Error](err); ok {
		return e.Code
	}
	return err.Error()
}

// TestRequest asks for what is given and what is refused.
func TestRequest(t *testing.T) {
	q := quota.New(companion.Options{Store: shared, Region: "eu-west-1", Strict: true})
	c := admin(t, "500000000001")
	few := caller(t, "500000000001", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"servicequotas:RequestServiceQuotaIncrease","Resource":"*","Condition":{"StringEquals":{"servicequotas:service":"iam"}}}}`)
	for _, try := range []struct {
		name, service, code string
		caller              *authpolicy.Caller
		to                  float64
		want                string
	}{
		{"more listeners", "vpc-lattice", "L-D64E952E", c, 4, ""},
		{"as many as now", "vpc-lattice", "L-D64E952E", c, 4, "IllegalArgumentException"},
		{"fewer", "vpc-lattice", "L-D64E952E", c, 3, "IllegalArgumentException"},
		{"half a listener", "vpc-lattice", "L-D64E952E", c, 4.5, "IllegalArgumentException"},
		{"one that is fixed", "iam", "L-F55AF5E4", c, 9000, "IllegalArgumentException"},
		{"no service", "vpc-lettuce", "L-D64E952E", c, 9, "NoSuchResourceException"},
		{"no quota", "vpc-lattice", "L-00000000", c, 9, "NoSuchResourceException"},
		{"of another service", "acm", "L-D64E952E", c, 9, "NoSuchResourceException"},
		{"not allowed", "vpc-lattice", "L-D64E952E", few, 9, "AccessDeniedException"},
		{"allowed by the service", "iam", "L-FE177D64", few, 2000, ""},
		{"again", "vpc-lattice", "L-D64E952E", c, 5, ""},
	} {
		if _, _, err := q.Request(t.Context(), try.caller, try.service, try.code, try.to); code(err) != try.want {
			t.Errorf("%s: %v, want %q", try.name, err, try.want)
		}
	}
	all, err := q.History(t.Context(), c, "servicequotas:ListRequestedServiceQuotaChangeHistory", "vpc-lattice", "")
	if err != nil || len(all) != 2 {
		t.Fatalf("history: %+v, %v", all, err)
	}
	if one, err := q.Requested(t.Context(), c, all[0].ID); err != nil || one.Value != all[0].Value {
		t.Errorf("one of it: %+v, %v", one, err)
	}
	if _, err := q.Requested(t.Context(), admin(t, "500000000002"), all[0].ID); code(err) != "NoSuchResourceException" {
		t.Errorf("another account reads a request: %v", err)
	}
	for account, want := range map[string]int{"500000000001": 5, "500000000002": 2} {
		v, err := q.List(t.Context(), admin(t, account), "servicequotas:GetServiceQuota", "vpc-lattice", "L-D64E952E")
		if err != nil || v[0].Value != want || v[0].ARN != "arn:aws:servicequotas:eu-west-1:"+account+":vpc-lattice/L-D64E952E" {
			t.Errorf("%s has %+v, %v, want %d", account, v, err, want)
		}
	}
	if v, err := q.Defaults(c, "servicequotas:GetAWSDefaultServiceQuota", "iam", "L-FE177D64"); err != nil || v[0].Value != 1000 || v[0].ARN != "arn:aws:servicequotas:::iam/L-FE177D64" {
		t.Errorf("default: %+v, %v", v, err)
	}
}

// TestQuotaTags gives tags to a quota that was raised, and to none else.
func TestQuotaTags(t *testing.T) {
	q := quota.New(companion.Options{Store: shared, Region: "eu-west-1"})
	c := admin(t, "500000000003")
	ch, _, err := q.Request(t.Context(), c, "vpc", "L-F678F1CE", 5000)
	if err != nil {
		t.Fatal(err)
	}
	for arn, want := range map[string]string{
		ch.ARN: "", "arn:aws:servicequotas:eu-west-1:500000000003:vpc/L-407747CB": "NoSuchResourceException",
		"arn:aws:servicequotas:eu-west-1:500000000001:vpc/L-F678F1CE": "NoSuchResourceException", "arn:aws:ec2:eu-west-1:500000000003:vpc/x": "IllegalArgumentException",
	} {
		if _, err := q.Tag(t.Context(), c, arn, map[string]string{"team": "shop", "for": "load"}); code(err) != want {
			t.Errorf("tag %s: %v, want %q", arn, err, want)
		}
	}
	if _, err := q.Tag(t.Context(), c, ch.ARN, map[string]string{"aws:x": ""}); code(err) != "IllegalArgumentException" {
		t.Errorf("a tag of AWS's: %v", err)
	}
	if _, err := q.Untag(t.Context(), c, ch.ARN, []string{"for"}); err != nil {
		t.Error(err)
	}
	if tags, err := q.Tags(t.Context(), c, ch.ARN); err != nil || len(tags) != 1 || tags["team"] != "shop" {
		t.Errorf("tags: %v, %v", tags, err)
	}
}

// TestReached holds counts against limits, before and after an account has asked for more.
func TestReached(t *testing.T) {
	q := quota.New(companion.Options{Store: shared, Region: "eu-west-1", Strict: true})
	c := admin(t, "500000000004")
	limits := quota.Limits{Strict: true}
	hold := func(account string, have, want int, full bool) {
		t.Helper()
		err := shared.Read(t.Context(), func(tx *store.Tx) error {
			limit, reached, err := limits.Reached(tx, account, quota.ListenersPerService, have)
			if limit != want || reached != full {
				t.Errorf("%s with %d: limit %d, reached %t; want %d, %t", account, have, limit, reached, want, full)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	hold("500000000004", 1, 2, false)
	hold("500000000004", 2, 2, true)
	if _, _, err := q.Request(t.Context(), c, "vpc-lattice", "L-D64E952E", 3); err != nil {
		t.Fatal(err)
	}
	hold("500000000004", 2, 3, false)
	hold("500000000004", 3, 3, true)
	hold("500000000005", 2, 2, true)
	if e := quota.Exceeded(quota.ListenersPerService, 3, "LISTENER"); e.QuotaCode != "L-D64E952E" || e.ServiceCode != "vpc-lattice" || e.Status != 402 ||
		e.Message != "You have reached the limit of 3 listeners per service." {
		t.Errorf("%+v", e)
	}
}
