package identity

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// serviceRoles are the names of service-linked roles by the service that they belong to, as its documentation has them.
var serviceRoles = map[string]string{
	"autoscaling.amazonaws.com":          "AWSServiceRoleForAutoScaling",
	"ecs.amazonaws.com":                  "AWSServiceRoleForECS",
	"eks.amazonaws.com":                  "AWSServiceRoleForAmazonEKS",
	"elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
	"organizations.amazonaws.com":        "AWSServiceRoleForOrganizations",
	"ram.amazonaws.com":                  "AWSServiceRoleForResourceAccessManager",
	"rds.amazonaws.com":                  "AWSServiceRoleForRDS",
	"rolesanywhere.amazonaws.com":        "AWSServiceRoleForRolesAnywhere",
	"vpc-lattice.amazonaws.com":          "AWSServiceRoleForVpcLattice",
}

// suffixed are the services that take several service-linked roles in an account, told apart by a suffix.
var suffixed = []string{"autoscaling.amazonaws.com"}

// CreateServiceLinkedRole makes the role by which a service of AWS acts in the caller's account: a record, as services
// act here without it. What bounds others in an organization does not bound it.
func (i *Identity) CreateServiceLinkedRole(ctx context.Context, c *authpolicy.Caller, service, description, suffix string) (*trellis.Role, trellis.Revision, error) {
	name, known := serviceRoles[service]
	if !known {
		return nil, 0, invalidInput("Service principal %s is not known, or has no service-linked role.", service)
	}
	if suffix != "" {
		if !slices.Contains(suffixed, service) {
			return nil, 0, invalidInput("Custom suffix is not allowed for %s", service)
		}
		name += "_" + suffix
	}
	if err := checkName("roleName", name, maxRoleName); err != nil {
		return nil, 0, err
	}
	r := serviceRole(c.Principal.Account, service, name, i.now())
	r.Description = description
	keys := map[string][]string{"iam:awsservicename": {service}}
	rev, err := i.commit(ctx, c, "iam:CreateServiceLinkedRole", r.ARN(), keys, func(tx *store.Tx) error {
		err := roleNaming.take(tx, &r.Meta, name)
		if _, taken := errors.AsType[*trellis.Error](err); taken {
			return invalidInput("Service role name %s has been taken in this account, please try a different suffix.", name)
		}
		if err != nil {
			return err
		}
		tx.Put(r)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return r, rev, nil
}

// serviceRole is a new service-linked role.
func serviceRole(account, service, name string, now time.Time) *trellis.Role {
	return &trellis.Role{Meta: trellis.Meta{Account: account, ID: newID("AROA", 17), CreatedAt: now, UpdatedAt: now}, Name: name, Path: serviceLinkedPath + service + "/",
		MaxSessionSeconds: defaultSession,
		TrustPolicy:       `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`}
}

// NeedServiceRole makes the service-linked role of a service in an account that lacks it, as a service does by itself when
// it is first used (IAM user guide, using-service-linked-roles).
func NeedServiceRole(tx *store.Tx, account, service string, now time.Time) error {
	r := serviceRole(account, service, serviceRoles[service], now)
	err := roleNaming.take(tx, &r.Meta, r.Name)
	if _, taken := errors.AsType[*trellis.Error](err); taken {
		return nil
	}
	if err == nil {
		tx.Put(r)
	}
	return err
}

// deletionTask is the id of a deletion of a service-linked role. It says all that there is to know: a deletion is done
// when it has been answered.
func deletionTask(r *trellis.Role) string { return "task" + r.Path + r.Name + "/" + trellis.NewUUID() }

// DeleteServiceLinkedRole removes a service-linked role and returns the id to ask about that.
func (i *Identity) DeleteServiceLinkedRole(ctx context.Context, c *authpolicy.Caller, name string) (task string, rev trellis.Revision, err error) {
	rev, err = i.o.Store.Commit(ctx, func(tx *store.Tx) error {
		r, err := lookUpRole(tx, c, "iam:DeleteServiceLinkedRole", name, nil)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(r.Path, serviceLinkedPath) {
			return noRole(name)
		}
		task = deletionTask(r)
		deleteRole(tx, r)
		return nil
	})
	return task, rev, err
}

// CheckDeletionTask refuses what is not the id of a deletion of a service-linked role.
func (i *Identity) CheckDeletionTask(c *authpolicy.Caller, task string) error {
	parts := strings.Split(task, "/")
	if len(parts) != 5 || parts[0] != "task" || "/"+parts[1]+"/" != serviceLinkedPath || serviceRoles[parts[2]] == "" {
		return noSuchEntity("Deletion task %s cannot be found.", task)
	}
	return c.Authorize("iam:GetServiceLinkedRoleDeletionStatus", trellis.IAMARN(c.Principal.Account, "role"+serviceLinkedPath+parts[2]+"/"+parts[3]), nil)
}
