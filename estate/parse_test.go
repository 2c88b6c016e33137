package estate

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// update rewrites what is expected.
var update = flag.Bool("update", false, "rewrite testdata")

// read reads files of testdata.
func readFiles(t testing.TB, paths ...string) []File {
	t.Helper()
	var all []File
	for _, p := range paths {
		files, err := Load(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, files...)
	}
	return all
}

// TestWrong holds what is said of files that are wrong: everything at once, at its place.
func TestWrong(t *testing.T) {
	paths, err := filepath.Glob("testdata/wrong/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal(err, paths)
	}
	for _, path := range paths {
		_, err := Parse(readFiles(t, path), "111122223333", nil)
		if err == nil {
			t.Errorf("%s: nothing is wrong", path)
			continue
		}
		golden := strings.TrimSuffix(path, ".yaml") + ".txt"
		if *update {
			if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, readErr := os.ReadFile(golden)
		if readErr != nil {
			t.Fatal(readErr)
		}
		if d := cmp.Diff(string(want), err.Error()+"\n"); d != "" {
			t.Errorf("%s:\n%s", path, d)
		}
	}
}

// TestNames looks at how documents name what they refer to.
func TestNames(t *testing.T) {
	w, err := Parse(readFiles(t, "testdata/everything.yaml"), "111122223333", nil)
	if err != nil {
		t.Fatal(err)
	}
	const shop, platform = "333344445555", "222233334444"
	for _, c := range []struct {
		of     Ref
		member string
		want   any
	}{
		{Ref{"Rule", shop, "checkout/https/cart"}, "listenerIdentifier", Ref{"Listener", shop, "checkout/https"}},
		{Ref{"Rule", shop, "checkout/http/cart"}, "listenerIdentifier", Ref{"Listener", shop, "checkout/http"}},
		{Ref{"ServiceNetworkVpcAssociation", shop, "mesh/shop"}, "serviceNetworkIdentifier", Ref{"ServiceNetwork", platform, "mesh"}},
		{Ref{"ServiceNetworkVpcAssociation", shop, "mesh/shop"}, "securityGroupIds", []any{Ref{"SecurityGroup", shop, "shop/front"}}},
		{Ref{"Account", "", "shop"}, "ParentId", Ref{"OrganizationalUnit", "", "production"}},
		{Ref{"OrganizationsPolicy", "", "no-leaving"}, "TargetIds", []any{Ref{"OrganizationalUnit", "", "workloads"}, Ref{"Account", "", "platform"}}},
		{Ref{"ResourceShare", platform, "mesh"}, "principals", []any{Ref{"OrganizationalUnit", "", "production"}}},
		{Ref{"Role", shop, "caller"}, "AttachedPolicies", []any{Ref{"Policy", shop, "invoke"}, "arn:aws:iam::aws:policy/ReadOnlyAccess"}},
		{Ref{"AccessLogSubscription", shop, "inner/logs/RESOURCE"}, "destinationArn", Ref{"LogGroup", shop, "/lattice/shop"}},
		{Ref{"Policy", shop, "bounds"}, "PolicyDocument", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`},
	} {
		of := w.byRef[c.of]
		if of == nil {
			t.Errorf("no %v", c.of)
			continue
		}
		if d := cmp.Diff(c.want, of.members[c.member]); d != "" {
			t.Errorf("%s of %v:\n%s", c.member, c.of, d)
		}
	}
}

// TestEverything has every kind in the documentation, and in the file that the round trip goes through.
func TestEverything(t *testing.T) {
	documentation, err := os.ReadFile("../docs/estate.md")
	if err != nil {
		t.Fatal(err)
	}
	w, err := Parse(readFiles(t, "testdata/everything.yaml"), "111122223333", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range Kinds() {
		if !slices.ContainsFunc(w.things, func(t *thing) bool { return t.kind.name == k }) {
			t.Errorf("none is a %s", k)
		}
		if !strings.Contains(string(documentation), "`"+k+"`") {
			t.Errorf("docs/estate.md does not tell of %s", k)
		}
	}
}

// TestForms reads JSON, lists of documents, and what YAML has for saying a thing once.
func TestForms(t *testing.T) {
	for name, text := range map[string]string{
		"json":    `[{"kind": "Service", "name": "a", "authType": "NONE", "tags": {"k": "1"}}, {"kind": "Service", "name": "b"}]`,
		"anchors": "{kind: Service, name: a, tags: &tags {k: 1}}\n---\nkind: Service\nname: b\ntags: {k: 2}\n",
		"merged":  "[&a {kind: Service, name: a, tags: {k: 1}}, {<<: *a, name: b}]",
	} {
		w, err := Parse([]File{{name, []byte(text)}}, "111122223333", nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(w.things) != 2 || w.things[0].own != "a" || w.things[0].tags["k"] != "1" || w.things[1].own != "b" {
			t.Errorf("%s: %v", name, w.things)
		}
	}
}

// TestSame compares values that are said in different ways.
func TestSame(t *testing.T) {
	all := kinds()
	for _, c := range []struct {
		kind, member string
		a, b         any
		same         bool
	}{
		{"Service", "authPolicy", `{"Action":"x"}`, ` {"Action":["x"]}`, true},
		{"Service", "authPolicy", `{"Action":"x"}`, `{"Action":"y"}`, false},
		{"ServiceNetworkVpcAssociation", "securityGroupIds", []any{"sg-1", "sg-2"}, []any{"sg-2", "sg-1"}, true},
		{"ServiceNetworkVpcAssociation", "securityGroupIds", []any{}, nil, true},
		{"ServiceNetworkServiceAssociation", "serviceIdentifier", "arn:aws:vpc-lattice:eu-west-1:1:service/svc-1", "svc-1", true},
		{"Rule", "match", map[string]any{"pathMatch": map[string]any{"caseSensitive": true}}, map[string]any{"pathMatch": map[string]any{}}, true},
		{"Rule", "match", map[string]any{"pathMatch": map[string]any{"caseSensitive": false}}, map[string]any{"pathMatch": map[string]any{}}, false},
		{"LoadBalancerListener", "DefaultActions", []any{map[string]any{"Type": "forward", "TargetGroupArn": "a", "Order": 1}},
			[]any{map[string]any{"Type": "forward", "ForwardConfig": map[string]any{"TargetGroups": []any{map[string]any{"TargetGroupArn": "a", "Weight": 1}}, "TargetGroupStickinessConfig": map[string]any{"Enabled": false}}}}, true},
		{"LoadBalancerRule", "Conditions", []any{map[string]any{"Field": "path-pattern", "Values": []any{"/a"}}},
			[]any{map[string]any{"Field": "path-pattern", "PathPatternConfig": map[string]any{"Values": []any{"/a"}}}}, true},
		{"RecordSet", "ResourceRecords", []any{map[string]any{"Value": "a.example.com."}}, []any{map[string]any{"Value": "a.example.com"}}, true},
		{"RecordSet", "Name", "\\052.Example.com.", "*.example.com", true},
		{"Dashboard", "DashboardBody", "{\"a\":[1]}", "{\"a\":1}", false},
		{"Bucket", "VersioningConfiguration", map[string]any{"Status": "Suspended"}, nil, true},
		{"SecurityGroup", "IpPermissions", []any{map[string]any{"IpProtocol": "-1", "IpRanges": []any{map[string]any{"CidrIp": "10.0.0.0/8"}, map[string]any{"CidrIp": "11.0.0.0/8"}}}},
			[]any{map[string]any{"IpProtocol": "-1", "IpRanges": []any{map[string]any{"CidrIp": "11.0.0.0/8"}}}, map[string]any{"IpProtocol": "-1", "IpRanges": []any{map[string]any{"CidrIp": "10.0.0.0/8"}}}}, true},
	} {
		k := kindOf(all, c.kind)
		m := k.member(c.member)
		if a, b := key(k.canonical(m, c.a)), key(k.canonical(m, c.b)); (a == b) != c.same {
			t.Errorf("%s %s: %s and %s, want same %v", c.kind, c.member, a, b, c.same)
		}
	}
}

// TestRules takes rules of composite alarms apart and puts them together.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		rule, joined string
		alarms       []any
	}{
		{"ALARM(a)", `ALARM("a")`, []any{"a"}},
		{"\n ok( a b ) AND\n  NOT ( TRUE )\n", `ok( "a b" ) AND NOT ( TRUE )`, []any{"a b"}},
		{`INSUFFICIENT_DATA ( "a \"(b)\" \\" )OR ALARM(arn:aws:cloudwatch:eu-west-1:1:alarm:c)`, `INSUFFICIENT_DATA ( "a \"(b)\" \\" )OR ALARM("arn:aws:cloudwatch:eu-west-1:1:alarm:c")`,
			[]any{`a "(b)" \`, "arn:aws:cloudwatch:eu-west-1:1:alarm:c"}},
		{`OK("ALARM(a)")`, `OK("ALARM(a)")`, []any{"ALARM(a)"}},
		{"NOTALARM(a) OR ALARM() OR ALARM(a", "NOTALARM(a) OR ALARM() OR ALARM(a", nil}, // whoever gets it says what is wrong
		{"", "", nil},
	} {
		var alarms []any
		parts := splitRule(c.rule)
		for _, p := range parts {
			if name, is := structure(p)[ruleAlarm]; is {
				alarms = append(alarms, name)
			}
		}
		if got := ruleNorm(parts); got != c.joined || !slices.Equal(alarms, c.alarms) {
			t.Errorf("%q is %q with alarms %q, want %q with %q", c.rule, got, alarms, c.joined, c.alarms)
		}
		if got := ruleNorm(splitRule(c.joined)); got != c.joined {
			t.Errorf("%q becomes %q", c.joined, got)
		}
	}
}

// TestKinds holds the table of kinds: what each refers to is a kind, and every member that is said to scope or name is one.
func TestKinds(t *testing.T) {
	all := kinds()
	seen := map[string]bool{}
	for _, k := range all {
		if seen[k.name] {
			t.Errorf("%s stands twice", k.name)
		}
		seen[k.name] = true
		if k.read == nil || k.make == nil || k.change == nil || k.create == "" {
			t.Errorf("%s lacks an operation", k.name)
		}
		if k.scope != "" && k.member(k.scope) == nil {
			t.Errorf("%s has no member %s", k.name, k.scope)
		}
		for member, of := range k.refs {
			for _, name := range of.kinds {
				if kindOf(all, name) == nil {
					t.Errorf("%s %s refers to %s, which is no kind", k.name, member, name)
				}
			}
		}
	}
}

// FuzzParse reads files that anybody may have written: any text gives things or problems, and never a panic.
func FuzzParse(f *testing.F) {
	for _, file := range readFiles(f, "testdata/everything.yaml", "testdata/wrong/many.yaml", "testdata/wrong/syntax.yaml") {
		for _, document := range strings.Split(string(file.Text), "---\n") { // small ones are changed faster
			f.Add([]byte(document))
		}
	}
	f.Fuzz(func(_ *testing.T, text []byte) {
		_, _ = Parse([]File{{"fuzz.yaml", text}}, "111122223333", nil)
	})
}
