package telemetry

import (
	"fmt"
	"testing"
)

// BenchmarkGuideQuery asks for the refused requests among 100,000 rows of an access log.
func BenchmarkGuideQuery(b *testing.B) {
	tel, err := New(Options{Dir: b.TempDir(), Region: "eu-west-1"})
	if err != nil {
		b.Fatal(err)
	}
	l := tel.Logs()
	if err := l.CreateGroup(LogGroup{Account: account, Name: group1}); err != nil {
		b.Fatal(err)
	}
	start := l.millis()
	var events []Event
	for i := range 100_000 {
		code := 200
		if i%20 == 0 {
			code = 403
		}
		events = append(events, Event{start + int64(i/100), fmt.Appendf(nil, `{"serviceArn":"arn:aws:vpc-lattice:eu-west-1:111122223333:service/svc-0aaaaaaaaaaaaaaaa","responseCode":%d,`+
			`"sourceIpPort":"10.0.1.7:57086","requestMethod":"GET","requestPath":"/orders/%d","authDeniedReason":"-","requestToTargetDuration":3,"userAgent":"curl/8.5.0"}`, code, i)})
	}
	if err := l.Deliver(b.Context(), l.GroupARN(account, group1), "rows", events); err != nil {
		b.Fatal(err)
	}
	q := Query{Account: account, Groups: []string{group1}, From: start/1000 - 1, To: start/1000 + 60,
		Text: "fields @timestamp, sourceIpPort, requestMethod, requestPath, responseCode, authDeniedReason, requestToTargetDuration | filter responseCode = 403 | sort @timestamp desc | limit 50"}
	for b.Loop() {
		if s := ask(b, l, q); len(s.Results) != 50 || s.Stats.RecordsMatched != 5000 {
			b.Fatalf("%d results, %+v", len(s.Results), s.Stats)
		}
	}
}
