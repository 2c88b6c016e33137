package alarm

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/store"
)

// dashboardName is the form of the names of dashboards.
var dashboardName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

// PutDashboard makes a dashboard or gives one another body.
func (a *Alarms) PutDashboard(ctx context.Context, c *authpolicy.Caller, name, body string, tags map[string]string) (trellis.Revision, error) {
	if !dashboardName.MatchString(name) {
		return 0, fault("DashboardInvalidInputError", "The value %s for field DashboardName contains invalid characters. It can only contain alphanumerics, dash (-) and underscore (_).", name)
	}
	var parsed map[string]any
	if err := json.Unmarshal([]byte(body), &parsed); err != nil {
		return 0, fault("DashboardInvalidInputError", "The field DashboardBody must be a valid JSON object")
	}
	if err := checkTags(tags); err != nil {
		return 0, err
	}
	return a.Commit(ctx, c, "cloudwatch:PutDashboard", trellis.DashboardARN(c.Principal.Account, name), authpolicy.TagKeys(nil, tags, nil), func(tx *store.Tx) error {
		n, err := getDashboard(tx, c, name)
		if e, ok := err.(*trellis.Error); ok && e.Code == "DashboardNotFoundError" {
			n, err = &trellis.Dashboard{Meta: a.Meta(c, name, tags)}, nil
		}
		if err != nil {
			return err
		}
		n.Body, n.UpdatedAt = body, a.Time()
		tx.Put(n)
		return nil
	})
}

// getDashboard reads a dashboard of the caller's account.
func getDashboard(tx *store.Tx, c *authpolicy.Caller, name string) (*trellis.Dashboard, error) {
	return companion.Get[*trellis.Dashboard](tx, c.Principal.Account+"/"+name, fault("DashboardNotFoundError", "Dashboard %s does not exist", name))
}

// Dashboard returns a dashboard.
func (a *Alarms) Dashboard(ctx context.Context, c *authpolicy.Caller, name string) (n *trellis.Dashboard, err error) {
	err = a.Read(ctx, c, "cloudwatch:GetDashboard", trellis.DashboardARN(c.Principal.Account, name), nil, func(tx *store.Tx) error {
		n, err = getDashboard(tx, c, name)
		return err
	})
	return n, err
}

// Dashboards returns up to limit dashboards whose names begin with a prefix, those after a key; next is the last one's
// key when there are more.
func (a *Alarms) Dashboards(ctx context.Context, c *authpolicy.Caller, prefix, after string, limit int) (found []*trellis.Dashboard, next string, err error) {
	err = a.Read(ctx, c, "cloudwatch:ListDashboards", "*", nil, func(tx *store.Tx) error {
		found, next, err = store.Page[*trellis.Dashboard](tx, c.Principal.Account+"/"+prefix, after, limit)
		return err
	})
	return found, next, err
}

// DeleteDashboards removes dashboards, all or, when one does not exist, none.
func (a *Alarms) DeleteDashboards(ctx context.Context, c *authpolicy.Caller, names []string) (trellis.Revision, error) {
	for _, name := range names {
		if err := c.Authorize("cloudwatch:DeleteDashboards", trellis.DashboardARN(c.Principal.Account, name), nil); err != nil {
			return 0, err
		}
	}
	return a.Store.Commit(ctx, func(tx *store.Tx) error {
		for _, name := range names {
			n, err := getDashboard(tx, c, name)
			if err != nil {
				return err
			}
			tx.Delete(n)
		}
		return nil
	})
}

// tagged reads the alarm or dashboard of the caller's account that an ARN names.
func tagged(tx *store.Tx, c *authpolicy.Caller, arn string) (trellis.Owned, error) {
	missing := fault("ResourceNotFoundException", "Unknown resource %s", arn)
	a, err := trellis.ParseARN(arn)
	if err != nil || a.Service != "cloudwatch" || a.Account != c.Principal.Account {
		return nil, missing
	}
	if name, ok := strings.CutPrefix(a.Resource, "alarm:"); ok {
		return companion.Get[*trellis.Alarm](tx, a.Account+"/"+name, missing)
	}
	name, _ := strings.CutPrefix(a.Resource, "dashboard/")
	return companion.Get[*trellis.Dashboard](tx, a.Account+"/"+name, missing)
}

// Tags returns the tags of an alarm or dashboard.
func (a *Alarms) Tags(ctx context.Context, c *authpolicy.Caller, arn string) (tags map[string]string, err error) {
	err = a.Read(ctx, c, "cloudwatch:ListTagsForResource", arn, nil, func(tx *store.Tx) error {
		n, err := tagged(tx, c, arn)
		if err == nil {
			tags = n.Common().Tags
		}
		return err
	})
	return tags, err
}

// Tag adds tags to an alarm or dashboard.
func (a *Alarms) Tag(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
	return a.changeTags(ctx, c, "cloudwatch:TagResource", arn, authpolicy.TagKeys(nil, tags, nil), func(have map[string]string) { maps.Copy(have, tags) })
}

// Untag removes tags of an alarm or dashboard.
func (a *Alarms) Untag(ctx context.Context, c *authpolicy.Caller, arn string, keys []string) (trellis.Revision, error) {
	return a.changeTags(ctx, c, "cloudwatch:UntagResource", arn, map[string][]string{"aws:tagkeys": keys}, func(have map[string]string) {
		for _, k := range keys {
			delete(have, k)
		}
	})
}

// changeTags changes the tags of an alarm or dashboard.
func (a *Alarms) changeTags(ctx context.Context, c *authpolicy.Caller, action, arn string, keys map[string][]string, change func(map[string]string)) (trellis.Revision, error) {
	return a.Commit(ctx, c, action, arn, keys, func(tx *store.Tx) error {
		n, err := tagged(tx, c, arn)
		if err != nil {
			return err
		}
		all := companion.WithTags(n.Common().Tags, nil)
		if change(all); checkTags(all) != nil {
			return checkTags(all)
		}
		n.Common().Tags = all
		tx.Put(n)
		return nil
	})
}
