package daemon

import (
	"context"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/accesslog"
	"github.com/trellis-project/trellis/telemetry"
)

// logGroupName returns the account and the name of a CloudWatch log group's ARN.
func logGroupName(arn string) (account, name string, ok bool) {
	a, err := trellis.ParseARN(arn)
	if err != nil || a.Service != "logs" {
		return "", "", false
	}
	name, ok = strings.CutPrefix(strings.TrimSuffix(a.Resource, ":*"), "log-group:")
	return a.Account, name, ok && name != ""
}

// ensureLogGroup makes sure that an access log has somewhere to go: the log group must belong to the account,
// and is made when it is missing, since the guide subscribes without creating one.
func (d *Daemon) ensureLogGroup(_ context.Context, account, arn string) error {
	owner, name, ok := logGroupName(arn)
	if !ok {
		return trellis.InvalidOther("%s is not the ARN of a log group", arn)
	}
	if owner != account {
		return trellis.Denied("The log group %s belongs to another account", arn)
	}
	return d.telemetry.EnsureLogGroup(account, name)
}

// deliver writes access-log records to their log group.
func (d *Daemon) deliver(_ context.Context, destinationARN string, rows []accesslog.Row) error {
	account, name, ok := logGroupName(destinationARN)
	if !ok {
		return trellis.InvalidOther("%s is not the ARN of a log group", destinationARN)
	}
	events := make([]telemetry.Event, len(rows))
	for i, r := range rows {
		events[i] = telemetry.Event{Time: r.Time, Message: string(r.JSON)}
	}
	return d.telemetry.Append(account, name, "VpcLattice_AccessLogs", events)
}
