//go:build thorough

package trellistest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// everything has one of each kind.
const everything = "../estate/testdata/everything.yaml"

// The value that nobody may see of everything, and the variable that it comes by.
const (
	hiddenVariable = "SHOP_ORDERS_PASSWORD"
	hiddenValue    = "a-password-that-nobody-sees"
)

// estateRun runs the trellis program as the administrator of this Trellis and returns its exit code and what it printed.
func (tr *Trellis) estateRun(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	return tr.estateRunWith(t, hiddenVariable+"="+hiddenValue, args...)
}

// estateRunWith is estateRun with a variable in the environment; empty for none.
func (tr *Trellis) estateRunWith(t *testing.T, variable string, args ...string) (int, string, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), Program(t), args...)
	cmd.Env = append(tr.environment(t, ""), variable)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exited := new(exec.ExitError); err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// wantRun is estateRun with an exit code that is wanted.
func (tr *Trellis) wantRun(t *testing.T, code int, args ...string) string {
	t.Helper()
	got, out, errs := tr.estateRun(t, args...)
	if got != code {
		t.Fatalf("trellis %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out, errs)
	}
	return out
}

// estateFile writes a file.
func estateFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "estate.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestEstateRoundTrip applies one of every kind, exports it, finds no difference, and applies the export to a second, empty
// Trellis, which then exports the same. Then all goes again but what stays for good.
func TestEstateRoundTrip(t *testing.T) {
	t.Parallel()
	first, second, code := Start(t), Start(t), t.TempDir()
	first.wantRun(t, 2, "diff", "-f", everything)
	first.wantRun(t, 0, "apply", "-f", everything, "--yes")
	if out := first.wantRun(t, 0, "apply", "-f", everything, "--yes"); out != "Nothing to change.\n" {
		t.Errorf("a second apply:\n%s", out)
	}
	exported := first.wantRun(t, 0, "export", "--all-accounts", "--code", code)
	if out := first.wantRun(t, 0, "diff", "-f", estateFile(t, exported)); out != "Nothing to change.\n" {
		t.Errorf("export and state differ:\n%s", out)
	}
	second.wantRun(t, 0, "apply", "-f", estateFile(t, exported), "--yes")
	if d := cmp.Diff(exported, second.wantRun(t, 0, "export", "--all-accounts", "--code", code)); d != "" {
		t.Errorf("the export of a second Trellis:\n%s", d)
	}
	if strings.Contains(exported, "trellis:estate") {
		t.Error("the export has the mark of what apply made")
	}
	if strings.Contains(exported, hiddenValue) || !strings.Contains(exported, "${env:"+hiddenVariable+"}") {
		t.Error("the export has a value that nobody may see, or no variable for it")
	}

	// A part stands by itself: what it names besides are ids and ARNs.
	first.wantRun(t, 0, "diff", "-f", estateFile(t, first.wantRun(t, 0, "export", "--account", "shop", "--kind", "Policy", "--kind", "ServiceNetworkServiceAssociation", "--kind", "CompositeAlarm")))

	// Accounts, the organization and groups of IAM are never deleted, and what is left in them stays.
	left := estateFile(t, "estate: everything\n---\nkind: OrganizationalUnit\nname: workloads\ntags: {level: top}\n---\nkind: OrganizationalUnit\nname: production\nParentId: workloads\n---\n"+
		"account: shop\n---\nkind: Group\nname: developers\n")
	first.wantRun(t, 0, "apply", "-f", left, "--prune", "--yes")
	if out := first.wantRun(t, 0, "export", "--account", "shop"); out != "account: \"333344445555\"\n---\nkind: Group\nname: developers\n" {
		t.Errorf("after prune:\n%s", out)
	}
}

// changed is everything with the changes of testdata: in each block lines after - become those after +.
func changed(t *testing.T) string {
	t.Helper()
	text := mustRead(t, everything)
	for block := range strings.SplitSeq(mustRead(t, "../estate/testdata/changes.txt"), "\n\n") {
		var from, to []string
		for line := range strings.Lines(block) {
			if old, is := strings.CutPrefix(line, "- "); is {
				from = append(from, old)
			} else if now, is := strings.CutPrefix(line, "+ "); is {
				to = append(to, now)
			}
		}
		old, now := strings.TrimSuffix(strings.Join(from, ""), "\n"), strings.TrimSuffix(strings.Join(to, ""), "\n")
		if old == "" {
			continue
		}
		if n := strings.Count(text, old); n != 1 {
			t.Fatalf("these lines stand in everything %d times:\n%s", n, old)
		}
		text = strings.Replace(text, old, now, 1)
	}
	folder, err := filepath.Abs("../estate/testdata")
	if err != nil {
		t.Fatal(err)
	}
	return estateFile(t, strings.Replace(text, "\nCode: ", "\nCode: "+folder+"/", 1))
}

// TestEstateEverything changes one of every kind in all that can be changed, and back: the next plan has nothing to do each
// time, and no plan shows what nobody may see.
func TestEstateEverything(t *testing.T) {
	t.Parallel()
	tr, after := Start(t), changed(t)
	const other = hiddenVariable + "=another-password-that-nobody-sees"
	tr.wantRun(t, 0, "apply", "-f", everything, "--yes")
	for range 2 {
		for _, x := range []struct{ file, variable string }{{after, other}, {everything, hiddenVariable + "=" + hiddenValue}} {
			code, out, errs := tr.estateRunWith(t, x.variable, "apply", "-f", x.file, "--yes", "--replace")
			if code != 0 || !strings.Contains(out, "Value: (secret) → (secret)") || strings.Contains(out+errs, "that-nobody-sees") {
				t.Fatalf("apply of %s: exit code %d\n%s%s", x.file, code, out, errs)
			}
			if code, out, errs := tr.estateRunWith(t, x.variable, "diff", "-f", x.file); code != 0 {
				t.Errorf("after an apply of %s:\n%s%s", x.file, out, errs)
			}
		}
	}

	// What nobody gives again stays, and what can't be made without it is refused before anything is.
	if code, out, errs := tr.estateRunWith(t, "", "diff", "-f", everything); code != 0 {
		t.Errorf("without the variable: exit code %d\n%s%s", code, out, errs)
	}
	fresh := estateFile(t, "{kind: Parameter, name: p, Type: SecureString, Value: \"${env:SHOP_OTHER}\"}\n---\n{kind: Parameter, name: q, Type: String, Value: \"${env:SHOP_OTHER}\"}\n---\n"+
		"{kind: Role, name: r, AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: []}}\n")
	code, _, errs := tr.estateRun(t, "apply", "-f", fresh, "--yes")
	if code != 1 || !strings.Contains(errs, "estate.yaml:3:49: the environment has no variable SHOP_OTHER") {
		t.Errorf("a value that is missing: exit code %d\n%s", code, errs)
	}
	fresh = estateFile(t, "{kind: Parameter, name: p, Type: SecureString, Value: \"${env:SHOP_OTHER}\"}\n---\n"+
		"{kind: Role, name: r, AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]}}\n---\n{kind: Function, name: f, Role: r, Runtime: nodejs22.x, Handler: a.b}\n")
	code, _, errs = tr.estateRun(t, "apply", "-f", fresh, "--yes")
	for _, want := range []string{"estate.yaml:1:55: Parameter p is to be made, and the environment has no variable SHOP_OTHER for its Value", "estate.yaml:5:1: Function f is to be made: say by Code"} {
		if code != 1 || !strings.Contains(errs, want) {
			t.Errorf("exit code %d, want %q:\n%s", code, want, errs)
		}
	}
	if out := tr.wantRun(t, 0, "export", "--kind", "Role"); strings.Contains(out, "name: r\n") {
		t.Errorf("something was made all the same:\n%s", out)
	}
}

// TestEstateScenario exports what the scenario of four accounts made by other calls.
func TestEstateScenario(t *testing.T) {
	t.Parallel()
	first, second := Start(t), Start(t)
	first.Play(t, "four-accounts", nil, new(bytes.Buffer))
	exported := first.wantRun(t, 0, "export", "--all-accounts")
	first.wantRun(t, 0, "diff", "-f", estateFile(t, exported))
	second.wantRun(t, 0, "apply", "-f", estateFile(t, exported), "--yes")
	if d := cmp.Diff(exported, second.wantRun(t, 0, "export", "--all-accounts")); d != "" {
		t.Errorf("the export of a second Trellis:\n%s", d)
	}
}

// TestEstateBeside exports what boto3 has made of the services beside VPC Lattice.
func TestEstateBeside(t *testing.T) {
	t.Parallel()
	first, second, code := Start(t), Start(t), t.TempDir()
	if got := first.Python(t, "", mustRead(t, "testdata/beside.py"), first.Dir+"/ca.pem"); got != "ok\n" {
		t.Fatal(got)
	}
	exported := first.wantRun(t, 0, "export", "--code", code)
	if out := first.wantRun(t, 0, "diff", "-f", estateFile(t, exported)); out != "Nothing to change.\n" {
		t.Errorf("export and state differ:\n%s", out)
	}
	for _, hidden := range []string{"nobody-sees-this-value", "nor-this-one", "a-key-that-no-answer-has", "not exported"} {
		if strings.Contains(exported, hidden) {
			t.Errorf("the export has %q", hidden)
		}
	}
	file := estateFile(t, strings.NewReplacer("${env:SHOP_HIDDEN}", "${env:"+hiddenVariable+"}", "${env:HIDDEN}", "${env:"+hiddenVariable+"}").Replace(exported))
	second.wantRun(t, 0, "apply", "-f", file, "--yes")
	if out := second.wantRun(t, 0, "diff", "-f", file); out != "Nothing to change.\n" {
		t.Errorf("the second Trellis and the file differ:\n%s", out)
	}
	if d := cmp.Diff(exported, second.wantRun(t, 0, "export", "--code", code)); d != "" {
		t.Errorf("the export of a second Trellis:\n%s", d)
	}
}

// TestEstateImport reads a Trellis as if it were AWS: what import-aws prints is what export does.
func TestEstateImport(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	tr.wantRun(t, 0, "apply", "-f", everything, "--yes")
	code := t.TempDir()
	cmd := exec.CommandContext(t.Context(), Program(t), "import-aws", "--endpoint-url", tr.Endpoint, "--region", tr.Region, "--code", code)
	for _, v := range tr.environment(t, "333344445555") {
		if !strings.HasPrefix(v, "AWS_ENDPOINT_URL=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	imported := output(t, cmd)
	exported := tr.wantRun(t, 0, "export", "--account", "shop", "--code", code)
	if d := cmp.Diff(strings.TrimPrefix(exported, "account: \"333344445555\"\n---\n"), imported); d != "" {
		t.Errorf("import-aws and export:\n%s", d)
	}
	tr.wantRun(t, 0, "diff", "-f", estateFile(t, "account: shop\n---\n"+imported))
}

// TestEstateOrders applies the guide's scenario and sends requests through it.
func TestEstateOrders(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	tr.wantRun(t, 0, "apply", "-f", "../docs/estates/orders.yaml", "--yes")
	instances := map[string]string{}
	for _, r := range tr.Call(t, "444455556666", "ec2", "DescribeInstances", nil)["Reservations"].([]any) {
		for _, i := range r.(map[string]any)["Instances"].([]any) {
			m := i.(map[string]any)
			for _, tag := range m["Tags"].([]any) {
				if tag := tag.(map[string]any); tag["Key"] == "Name" {
					instances[tag["Value"].(string)] = m["InstanceId"].(string)
				}
			}
		}
	}
	for _, name := range []string{"orders-v1-a", "orders-v1-b", "orders-v2"} {
		tr.Run(t, instances[name], Program(t), "echo", "--listen", ":8080", "--name", name)
	}
	services := tr.Call(t, "444455556666", "vpc-lattice", "ListServices", nil)["items"].([]any)
	dns := services[0].(map[string]any)["dnsEntry"].(map[string]any)["domainName"].(string)
	for _, item := range tr.Call(t, "444455556666", "vpc-lattice", "ListTargetGroups", nil)["items"].([]any) {
		tr.Await(t, "444455556666", "vpc-lattice", "ListTargets", map[string]any{"targetGroupIdentifier": item.(map[string]any)["id"]}, "length(items[?status!='HEALTHY'])", "0")
	}
	url := "http://" + dns + "/v1/orders/42"
	if got := tr.Inside(t, instances["checkout"], "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url); got != "403" {
		t.Errorf("unsigned: %s, want 403", got)
	}
	if got := tr.Inside(t, instances["checkout"], Program(t), "request", "--sign", "-H", "x-release-channel: canary", url); !strings.Contains(got, "200") || !strings.Contains(got, "orders-v2") {
		t.Errorf("signed, canary: %s, want 200 from orders-v2", got)
	}
}

// TestEstateChanges changes, replaces and prunes: the plan says what, and the state follows.
func TestEstateChanges(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	const before = `
estate: web
---
{kind: Service, name: shop, tags: {team: a}, authPolicy: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: "*", Action: "*", Resource: "*"}]}}
---
{kind: Listener, name: http, serviceIdentifier: shop, protocol: HTTP, port: 80, defaultAction: {fixedResponse: {statusCode: 404}}}
---
{kind: Rule, name: one, serviceIdentifier: shop, listenerIdentifier: http, priority: 1, match: {httpMatch: {method: GET}}, action: {fixedResponse: {statusCode: 500}}}
---
{kind: LogGroup, name: web, retentionInDays: 7}
---
{kind: AccessLogSubscription, resourceIdentifier: shop, destinationArn: web}
`
	after := strings.NewReplacer("port: 80,", "port: 8080,", "team: a", "team: b", "retentionInDays: 7", "retentionInDays: 14",
		"---\n{kind: AccessLogSubscription, resourceIdentifier: shop, destinationArn: web}\n", "").Replace(before)
	after = after[:strings.Index(after, ", authPolicy")] + "}" + after[strings.Index(after, "\n---\n{kind: Listener"):]
	tr.wantRun(t, 0, "apply", "-f", estateFile(t, before), "--yes")
	tr.Call(t, "", "logs", "CreateLogGroup", map[string]any{"logGroupName": "by-hand"})
	file := estateFile(t, after)
	plan := tr.wantRun(t, 2, "diff", "-f", file, "--prune")
	for _, want := range []string{"~ update LogGroup web", "retentionInDays: 7 → 14", "tags: {team: a} → {team: b}", "authPolicy: {Statement: ", "→ nothing",
		"± replace Listener shop/http", "port: 80 → 8080  (can't be changed)", "± replace Rule shop/http/one", "since Listener shop/http is replaced",
		"- delete AccessLogSubscription shop/logs", "0 to create, 2 to update, 2 to replace, 1 to delete."} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan doesn't say %q:\n%s", want, plan)
		}
	}
	code, _, said := tr.estateRun(t, "apply", "-f", file, "--prune", "--yes")
	if code != 1 || !strings.Contains(said, "apply with --replace") {
		t.Errorf("without --replace: exit code %d\n%s", code, said)
	}
	tr.wantRun(t, 0, "apply", "-f", file, "--prune", "--replace", "--yes")
	tr.wantRun(t, 0, "diff", "-f", file, "--prune")
	tr.wantRun(t, 0, "apply", "-f", estateFile(t, "estate: web\n"), "--prune", "--yes")
	if out := tr.wantRun(t, 0, "export", "--kind", "LogGroup", "--kind", "Service"); out != "kind: LogGroup\nname: by-hand\n" {
		t.Errorf("prune left, besides what was made by hand:\n%s", out)
	}
	code, _, said = tr.estateRun(t, "apply", "-f", file)
	if code != 2 || !strings.Contains(said, "--yes") {
		t.Errorf("without a terminal: exit code %d\n%s", code, said)
	}
}

// TestEstateFailure goes on after an apply that a refusal stopped halfway, which names the document.
func TestEstateFailure(t *testing.T) {
	t.Parallel()
	tr := Start(t)
	const text = `
{kind: Service, name: shop}
---
{kind: Listener, name: http, serviceIdentifier: shop, protocol: HTTP, port: 80, defaultAction: {fixedResponse: {statusCode: 418}}}
---
{kind: Rule, name: one, serviceIdentifier: shop, listenerIdentifier: http, priority: 1, match: {httpMatch: {method: GET}}, action: {fixedResponse: {statusCode: 500}}}
`
	code, _, said := tr.estateRun(t, "apply", "-f", estateFile(t, text), "--yes")
	if code != 1 || !strings.Contains(said, "estate.yaml:4:1: create Listener shop/http: ValidationException") || !strings.Contains(said, "estate.yaml:6:1: create Rule shop/http/one: not tried, since Listener shop/http failed") {
		t.Errorf("exit code %d\n%s", code, said)
	}
	if out := tr.wantRun(t, 0, "apply", "-f", estateFile(t, strings.ReplaceAll(text, "418", "404")), "--yes"); !strings.Contains(out, "2 to create, 0 to update") {
		t.Errorf("the next apply:\n%s", out)
	}
}
