package api

import (
	"context"

	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// tenantPath names a tenant.
type tenantPath struct {
	Tenant string `path:"tenant"`
}

// TenantDeletion is the deletion of all of a tenant.
type TenantDeletion struct {
	ID     string `json:"operation_id" doc:"By which /admin/agents/operations tells how far it is"`
	Status string `json:"status" enum:"running,done"`
	Keys   int    `json:"keys_revoked" doc:"Keys of the settings are not among them: they are what they are until the settings change"`
}

type tenantDeletionAnswer struct{ Body TenantDeletion }

// tenants is the part of the API that is about whole tenants.
type tenants struct {
	*API
	revoke func(ctx context.Context, tenant string) (int, error)
}

// remove revokes the keys first, so that nobody begins anew meanwhile.
func (a tenants) remove(ctx context.Context, in *tenantPath) (*tenantDeletionAnswer, error) {
	if err := httpapi.CheckID("the tenant's name", in.Tenant); err != nil {
		return nil, huma.Error400BadRequest(err.Error())
	}
	revoked, err := a.revoke(ctx, in.Tenant)
	if err != nil {
		return nil, a.failure(ctx, err)
	}
	d, err := a.registry.DeleteTenant(ctx, in.Tenant)
	if err != nil {
		return nil, a.failure(ctx, err)
	}
	return &tenantDeletionAnswer{TenantDeletion{d.Operation, operationOf(d).Body.Status, revoked}}, nil
}
