package hostedzone_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/hostedzone"
	"github.com/trellis-project/trellis/store"
	"github.com/trellis-project/trellis/store/storetest"
)

// shared is the one store of the tests: each works in accounts of its own.
var shared *store.Store

// TestMain runs the store.
func TestMain(m *testing.M) { os.Exit(storetest.Main(m, &shared)) }

// zones is what is tested, in strict mode.
func zones() *hostedzone.Zones {
	return hostedzone.New(companion.Options{Store: shared, Region: "eu-west-1", Strict: true})
}

// caller is who may do what a policy says, all without one.
func caller(t *testing.T, account string, policy ...string) *authpolicy.Caller {
	t.Helper()
	if len(policy) == 0 {
		policy = []string{`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`}
	}
	p, err := authpolicy.Parse(policy[0], authpolicy.Identity)
	if err != nil {
		t.Fatal(err)
	}
	return &authpolicy.Caller{Principal: trellis.Principal{Type: trellis.PrincipalUser, Account: account, ARN: trellis.IAMARN(account, "user/u")},
		Identity: authpolicy.Policies{{Policy: p}}}
}

// vpc makes a VPC and returns it as Route 53 names it.
func vpc(t *testing.T, account string) trellis.ZoneVPC {
	t.Helper()
	id := trellis.NewID("vpc")
	if _, err := shared.Commit(t.Context(), func(tx *store.Tx) error {
		tx.Put(&trellis.VPC{Meta: trellis.Meta{Account: account, ID: id}})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return trellis.ZoneVPC{Region: "eu-west-1", VPC: trellis.Ref{ID: id}}
}

// wantCode compares an error's code, empty for none.
func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	var e *trellis.Error
	if got := ""; errors.As(err, &e) {
		if got = e.Code; got != code {
			t.Errorf("%s: %v, want %s", what, err, code)
		}
	} else if err != nil || code != "" {
		t.Errorf("%s: %v, want %q", what, err, code)
	}
}

// must fails the test at an error.
func must[T any](t *testing.T) func(v T, rev trellis.Revision, err error) T {
	return func(v T, _ trellis.Revision, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// create makes a zone.
func create(t *testing.T, z *hostedzone.Zones, c *authpolicy.Caller, in hostedzone.Input) hostedzone.Zone {
	t.Helper()
	made, _, _, err := z.Create(t.Context(), c, in)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestZones takes zones through their life.
func TestZones(t *testing.T) {
	z, ctx, c, other := zones(), t.Context(), caller(t, "111100000001"), caller(t, "111100000002")
	public := create(t, z, c, hostedzone.Input{Name: "Example.COM", CallerReference: "1", Comment: "c"})
	if public.Name != "example.com." || public.Records != 2 || public.Private || len(public.ID) != 21 {
		t.Errorf("made %+v", public)
	}
	for _, bad := range []struct {
		what string
		in   hostedzone.Input
		code string
	}{
		{"a reference that was used", hostedzone.Input{Name: "example.com", CallerReference: "1"}, "HostedZoneAlreadyExists"},
		{"no name", hostedzone.Input{Name: "a..b", CallerReference: "2"}, "InvalidDomainName"},
		{"the root", hostedzone.Input{Name: ".", CallerReference: "2"}, "InvalidDomainName"},
		{"a wildcard", hostedzone.Input{Name: "*.example.com", CallerReference: "2"}, "InvalidDomainName"},
		{"a private one without a VPC", hostedzone.Input{Name: "a.b", CallerReference: "2", Private: true}, "InvalidInput"},
		{"a VPC that is not there", hostedzone.Input{Name: "a.b", CallerReference: "2", VPC: &trellis.ZoneVPC{Region: "eu-west-1", VPC: trellis.Ref{ID: "vpc-0"}}}, "InvalidVPCId"},
		{"a VPC of another region", hostedzone.Input{Name: "a.b", CallerReference: "2", VPC: &trellis.ZoneVPC{Region: "us-east-1", VPC: vpc(t, "111100000001").VPC}}, "InvalidVPCId"},
		{"another account's VPC", hostedzone.Input{Name: "a.b", CallerReference: "2", VPC: new(vpc(t, "111100000002"))}, "InvalidVPCId"},
	} {
		_, _, _, err := z.Create(ctx, c, bad.in)
		wantCode(t, bad.what, err, bad.code)
	}
	_, err := z.Find(ctx, other, "route53:GetHostedZone", public.ID)
	wantCode(t, "another account's zone", err, "NoSuchHostedZone")
	_, err = z.Find(ctx, caller(t, "111100000001", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"route53:*","Resource":"arn:aws:route53:::hostedzone/Z1"}]}`), "route53:GetHostedZone", public.ID)
	wantCode(t, "a zone that the policy does not name", err, "AccessDeniedException")

	in := create(t, z, c, hostedzone.Input{Name: "a.internal", CallerReference: "3", VPC: new(vpc(t, "111100000001"))})
	all, err := z.List(ctx, c, "route53:ListHostedZones")
	if err != nil || len(all) != 2 || all[0].ID != public.ID || all[1].ID != in.ID {
		t.Errorf("list %+v, %v", all, err)
	}
	_, err = z.ChangeTags(ctx, c, public.ID, map[string]string{"a": "", "b": "x"}, nil)
	wantCode(t, "tags", err, "")
	_, err = z.ChangeTags(ctx, c, public.ID, map[string]string{"aws:a": ""}, nil)
	wantCode(t, "a reserved tag", err, "InvalidInput")
	_, err = z.ChangeTags(ctx, c, public.ID, nil, []string{"b"})
	wantCode(t, "untag", err, "")
	tags, err := z.Tags(ctx, c, "route53:ListTagsForResource", []string{public.ID})
	if err != nil || fmt.Sprint(tags) != "[map[a:]]" {
		t.Errorf("tags %v, %v", tags, err)
	}
	found := must[hostedzone.Zone](t)(z.UpdateComment(ctx, c, "/hostedzone/"+public.ID, "new"))
	if found.Comment != "new" {
		t.Errorf("comment %+v", found)
	}
	change := must[hostedzone.Change](t)(z.Delete(ctx, c, public.ID))
	got, err := z.GetChange(c, "/change/"+change.ID)
	if err != nil || !got.SubmittedAt.Equal(change.SubmittedAt) {
		t.Errorf("change %+v, want %+v: %v", got, change, err)
	}
	for _, id := range []string{"C1", "", "CZZZZZZZZZZZZZZZZZZZZ"} {
		_, err = z.GetChange(c, id)
		wantCode(t, "change "+id, err, "NoSuchChange")
	}
	create(t, z, c, hostedzone.Input{Name: "example.com", CallerReference: "1"}) // the reference is free again
}

// TestAssociations shares a private zone with another account.
func TestAssociations(t *testing.T) {
	z, ctx, c, other := zones(), t.Context(), caller(t, "111100000003"), caller(t, "111100000004")
	own, theirs := vpc(t, "111100000003"), vpc(t, "111100000004")
	zone := create(t, z, c, hostedzone.Input{Name: "shared.internal", CallerReference: "1", VPC: &own})
	public := create(t, z, c, hostedzone.Input{Name: "shared.internal", CallerReference: "2"})

	_, _, err := z.Associate(ctx, other, zone.ID, theirs, "")
	wantCode(t, "without an authorization", err, "NotAuthorizedException")
	_, _, err = z.Associate(ctx, c, zone.ID, own, "")
	wantCode(t, "twice", err, "ConflictingDomainExists")
	_, _, err = z.Associate(ctx, c, public.ID, own, "")
	wantCode(t, "a public zone", err, "PublicZoneVPCAssociation")
	_, _, err = z.Dissociate(ctx, c, zone.ID, own, "")
	wantCode(t, "the last one", err, "LastVPCAssociation")
	_, _, err = z.Dissociate(ctx, c, zone.ID, theirs, "")
	wantCode(t, "one that is not associated", err, "VPCAssociationNotFound")
	_, err = z.Unauthorize(ctx, c, zone.ID, theirs)
	wantCode(t, "no authorization", err, "VPCAssociationAuthorizationNotFound")
	for range 2 {
		_, err = z.Authorize(ctx, c, zone.ID, theirs)
		wantCode(t, "authorize", err, "")
	}
	list, err := z.Authorizations(ctx, c, zone.ID)
	if err != nil || len(list) != 1 {
		t.Errorf("authorizations %v, %v", list, err)
	}
	_, _, err = z.Associate(ctx, other, zone.ID, theirs, "")
	wantCode(t, "with an authorization", err, "")
	_, err = z.Unauthorize(ctx, c, zone.ID, theirs)
	wantCode(t, "take it back", err, "")
	of, err := z.ListByVPC(ctx, other, theirs)
	if err != nil || len(of) != 1 || of[0].ID != zone.ID || of[0].Account != "111100000003" {
		t.Errorf("zones of the VPC %v, %v", of, err)
	}
	_, err = z.ListByVPC(ctx, c, theirs)
	wantCode(t, "zones of another account's VPC", err, "InvalidVPCId")
	_, _, _, err = z.Create(ctx, other, hostedzone.Input{Name: "shared.internal", CallerReference: "1", VPC: &theirs})
	wantCode(t, "the name is taken in the VPC", err, "ConflictingDomainExists")
	_, _, err = z.Dissociate(ctx, caller(t, "111100000005"), zone.ID, theirs, "")
	wantCode(t, "a stranger", err, "NoSuchHostedZone")
	_, _, err = z.Dissociate(ctx, other, zone.ID, theirs, "")
	wantCode(t, "the VPC's owner", err, "")
}

// set is a record set in a word: NAME TYPE [@ID=WEIGHT] VALUE… or -> ALIAS.
func set(text string) trellis.RecordSet {
	w := strings.Fields(text)
	s := trellis.RecordSet{Name: w[0], Type: w[1], TTL: 60}
	w = w[2:]
	if id, ok := strings.CutPrefix(w[0], "@"); ok {
		s.SetIdentifier = id
		s.Policy.Weight = new(int64(1))
		w = w[1:]
	}
	if w[0] == "->" {
		s.TTL = 0
		s.Alias = &trellis.AliasTarget{ZoneID: w[1], Name: w[2]}
		return s
	}
	s.Values = strings.Split(strings.Join(w, " "), "|")
	return s
}

// TestChanges changes records in batches, one after the other.
func TestChanges(t *testing.T) {
	z, ctx, c := zones(), t.Context(), caller(t, "111100000006")
	zone := create(t, z, c, hostedzone.Input{Name: "example.com", CallerReference: "1"})
	for _, step := range []struct{ batch, want string }{
		{"CREATE www.example.com A 192.0.2.1", ""},
		{"CREATE WWW.example.com. A 192.0.2.1", "[Tried to create resource record set [name='www.example.com.', type='A'] but it already exists]"},
		{"UPSERT www.example.com A 192.0.2.2|192.0.2.3", ""},
		{"DELETE www.example.com A 192.0.2.2", "[Tried to delete resource record set [name='www.example.com.', type='A'] but the values provided do not match the current values]"},
		{"DELETE www.example.com A 192.0.2.3|192.0.2.2;CREATE www.example.com CNAME a.example.com", ""},
		{"DELETE www.example.com A 192.0.2.3", "[Tried to delete resource record set [name='www.example.com.', type='A'] but it was not found]"},
		{"CREATE www.example.com A 192.0.2.1", "[RRSet of type CNAME with DNS name www.example.com. is not permitted as it conflicts with other records with the same DNS name in zone example.com.]"},
		{"CREATE example.com CNAME a.example.org", "[RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com.]"},
		{"CREATE a.example.org A 192.0.2.1;CREATE b.example.com A 192.0.2.1", "[RRSet with DNS name a.example.org. is not permitted in zone example.com.]"},
		{"DELETE b.example.com A 192.0.2.1", "[Tried to delete resource record set [name='b.example.com.', type='A'] but it was not found]"}, // the batch before did nothing
		{"CREATE w.example.com A @one 192.0.2.1;CREATE w.example.com A @two 192.0.2.2", ""},
		{"CREATE w.example.com A 192.0.2.3", "[RRSet with DNS name w.example.com., type A, SetIdentifier one cannot be created as other RRSets exist with the same name and type.]"},
		{"CREATE x.example.com A 192.0.2.1;CREATE x.example.com A 192.0.2.2", "[The request contains an invalid set of changes for a resource record set 'A x.example.com.', Tried to create resource record set [name='x.example.com.', type='A'] but it already exists]"},
		{"CREATE al.example.com A -> ZONE w.example.com", ""},
		{"CREATE al2.example.com A -> ZONE none.example.com", "[Tried to create an alias that targets none.example.com., type A in zone ZONE, but that target was not found]"},
		{"CREATE al2.example.com A -> ZONE none.example.org", "[Tried to create an alias that targets none.example.org., type A in zone ZONE, but the alias target name does not lie within the target zone]"},
		{"CREATE al2.example.com AAAA -> Z09OTHER svc.vpc-lattice-svcs.eu-west-1.on.aws", ""},
		{"DELETE al2.example.com AAAA -> Z09OTHER svc.vpc-lattice-svcs.eu-west-1.on.aws", ""},
		{"CREATE al2.example.com AAAA -> Z09OTHER svc.vpc-lattice-svcs.eu-west-1.on.aws", ""},
		{"CREATE n.example.com NS -> Z09OTHER a.b", "[Alias is not permitted for RRSet of type NS with DNS name n.example.com.]"},
		{"DELETE example.com SOA NAMESERVER. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400", "[Tried to delete resource record set [name='example.com.', type='SOA'] but the values provided do not match the current values]"},
		{"CREATE sub.example.com SOA a. b. 1 2 3 4 5", "[RRSet of type SOA with DNS name sub.example.com. is not permitted in zone example.com.]"},
		{"CREATE bad..example.com A 192.0.2.1", "[Invalid Resource Record: FATAL problem: DomainLabelInvalid (Domain label is not valid) encountered with 'bad..example.com']"},
		{"CREATE *.example.com A 192.0.2.1", ""},
		{"CREATE d.example.com A 192.0.2.1|192.0.2.1", "[Duplicate Resource Record: '192.0.2.1']"},
	} {
		var changes []hostedzone.SetChange
		for part := range strings.SplitSeq(strings.ReplaceAll(step.batch, "ZONE", zone.ID), ";") {
			action, rest, _ := strings.Cut(part, " ")
			changes = append(changes, hostedzone.SetChange{Action: action, Set: set(rest)})
		}
		_, _, err := z.ChangeSets(ctx, c, zone.ID, changes, "")
		got := ""
		if e, ok := errors.AsType[*trellis.Error](err); ok {
			got = strings.ReplaceAll(e.Message, zone.ID, "ZONE")
		}
		if got != step.want {
			t.Errorf("%s\n got %s\nwant %s (%v)", step.batch, got, step.want, err)
		}
	}
	all, err := z.ListSets(ctx, c, zone.ID)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Name+" "+s.Type+s.SetIdentifier)
	}
	want := []string{"example.com. NS", "example.com. SOA", `\052.example.com. A`, "al.example.com. A", "al2.example.com. AAAA", "w.example.com. Aone", "w.example.com. Atwo", "www.example.com. CNAME"}
	if !slices.Equal(names, want) {
		t.Errorf("sets %q, want %q", names, want)
	}
	for question, want := range map[string]string{"w.example.com A": "NOERROR 1", "al.example.com A": "NOERROR 1", "x.example.com A": "NOERROR 1", "www.example.com MX": "NOERROR 0", "example.com NS": "NOERROR 4"} {
		name, kind, _ := strings.Cut(question, " ")
		a, err := z.Test(ctx, c, zone.ID, name, kind)
		if got := fmt.Sprint(a.Code, " ", len(a.Values)); err != nil || got != want {
			t.Errorf("%s: %s (%v), want %s, %v", question, got, a.Values, want, err)
		}
	}
	_, _, err = z.Delete(ctx, c, zone.ID)
	wantCode(t, "delete with records", err, "HostedZoneNotEmpty")
	only := caller(t, "111100000006", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"route53:ChangeResourceRecordSets","Resource":"*","Condition":{"ForAllValues:StringLike":{"route53:ChangeResourceRecordSetsNormalizedRecordNames":["team.*"]}}}]}`)
	_, _, err = z.ChangeSets(ctx, only, zone.ID, []hostedzone.SetChange{{Action: "CREATE", Set: set("team.example.com A 192.0.2.1")}}, "")
	wantCode(t, "a name that the policy names", err, "")
	_, _, err = z.ChangeSets(ctx, only, zone.ID, []hostedzone.SetChange{{Action: "CREATE", Set: set("other.example.com A 192.0.2.1")}}, "")
	wantCode(t, "a name that it does not", err, "AccessDeniedException")
}

// TestValues holds values against their types.
func TestValues(t *testing.T) {
	z, ctx, c := zones(), t.Context(), caller(t, "111100000007")
	zone := create(t, z, c, hostedzone.Input{Name: "example.com", CallerReference: "1"})
	good := map[string][]string{"A": {"192.0.2.1"}, "AAAA": {"2001:db8::1"}, "CAA": {`0 issue "ca.example.net"`, `0 issue "ca.example.net; policy=ev"`}, "CNAME": {"a.b.c", "a.b.c."}, "MX": {"10 mail.example.com"},
		"NAPTR": {`100 50 "u" "E2U+sip" "!^.*$!sip:i@example.com!" .`}, "NS": {"ns.example.net"}, "PTR": {"a.b."}, "SPF": {`"v=spf1 -all"`}, "SRV": {"1 10 5269 xmpp.example.com."},
		"TXT": {`"a; b" "c\"d"`}, "DS": {"12345 13 2 1F5A6E0B"}, "TLSA": {"1 1 1 0102"}, "SSHFP": {"1 1 09F6A01D2175742B257C6B98B7C72C44C4040683"},
		"HTTPS": {"1 . alpn=h2,h3"}, "SVCB": {"1 svc.example.com. port=443"}}
	bad := map[string][]string{"A": {"192.0.2.256", "2001:db8::1", "", "192.0.2.1 x"}, "AAAA": {"192.0.2.1", "fe80::1%eth0"}, "CNAME": {"a b", "", "a..b"}, "MX": {"mail.example.com", "x y"}, "NS": {"( a"}, "SRV": {"1 2 a."},
		"TXT": {"bare", `"open`, "\"a\nb\""}, "CAA": {"issue"}, "DS": {"x"}, "PTR": {"a ; comment"}, "ZZZ": {"1"}}
	try := func(kind, value string) error {
		_, _, err := z.ChangeSets(ctx, c, zone.ID, []hostedzone.SetChange{{Action: "UPSERT", Set: trellis.RecordSet{Name: strings.ToLower(kind) + ".example.com", Type: kind, TTL: 1, Values: []string{value}}}}, "")
		return err
	}
	for kind, values := range good {
		for _, v := range values {
			wantCode(t, kind+" "+v, try(kind, v), "")
		}
	}
	for kind, values := range bad {
		for _, v := range values {
			wantCode(t, kind+" "+v, try(kind, v), "InvalidChangeBatch")
		}
	}
}
