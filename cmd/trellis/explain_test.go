package main

import (
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis"
)

// TestPrintExplanation prints a refused signature and a denial whose texts try to speak to the terminal.
func TestPrintExplanation(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	for _, c := range []struct {
		e    trellis.Explanation
		want []string
	}{
		{trellis.Explanation{RequestID: "id\x1b[2J", Time: at, Principal: "Unknown", Action: "vpc-lattice-svcs:Invoke", SourceVPCID: "vpc-1", SourceIPPort: "10.0.0.1:5",
			Signature: &trellis.ExplainedSignature{Code: "InvalidSignatureException", Message: "it does not match", AccessKeyID: "AKIA", Scope: "20260102/eu-west-1/vpc-lattice-svcs",
				Timestamp: "20260102T030405Z", CanonicalRequest: "GET\n/a\n\nhost:x\u009b2J\n\nhost\nUNSIGNED-PAYLOAD"}},
			[]string{"request    id?[2J\n", "at         2026-01-02T03:04:05.678Z\n", "verdict    refused: InvalidSignatureException\n", "from       10.0.0.1:5 in vpc-1\n",
				"\nInvalidSignatureException: it does not match\naccess key AKIA, scope 20260102/eu-west-1/vpc-lattice-svcs, signed at 20260102T030405Z\n", "\n  host:x?2J\n"}},
		{trellis.Explanation{RequestID: "id", Time: at, AuthDeniedReason: "Service", Principal: "arn:aws:iam::111122223333:user/u", PrincipalSource: "Signature", Layers: []trellis.ExplainedLayer{
			{Layer: "network-based", Effect: "allow", Text: "the auth type is NONE"},
			{Layer: "service-based", Effect: "implicit deny", Text: "no statement allows the request: a; b", Misses: []trellis.ExplainedMiss{
				{Statement: trellis.ExplainedStatement{Sid: "Read", Index: 1, Line: 3, Column: 5}, Element: "Condition", Operator: "StringLike", Key: "vpc-lattice-svcs:RequestHeader/x",
					Wanted: `"a*"`, Seen: []string{"\r\nb", "c"}, Line: 7, Column: 9},
				{Statement: trellis.ExplainedStatement{Line: 2, Column: 4}, Element: "Resource", Text: "its Resource does not cover it"}}}}},
			[]string{"verdict    denied by the layer Service\n", "principal  arn:aws:iam::111122223333:user/u (by Signature)\n", "network-based  -       allow          -                 the auth type is NONE\n",
				"service-based  -       implicit deny  -                 no statement allows the request\n",
				`Read 3:5          StringLike vpc-lattice-svcs:RequestHeader/x at 7:9 wants "a*", and was ["\r\nb" "c"]` + "\n", "Statement[0] 2:4  its Resource does not cover it\n"}},
	} {
		var out strings.Builder
		if err := printExplanation(&out, &c.e); err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%q is not in\n%s", want, out.String())
			}
		}
		if strings.ContainsAny(out.String(), "\x1b\u009b") {
			t.Errorf("a terminal obeys %q", out.String())
		}
	}
}
