//! Who the workers are shared out to.

use super::Scheduler;
use crate::error::Refused;
use crate::keys::TenantKey;
use crate::shape::Class;
use crate::share::Account;

/// A tenant.
pub(crate) struct Tenant {
    pub(crate) account: Account,
    pub(crate) proofs: u32,
}

impl Scheduler {
    /// Adds a tenant that is due `share` times what one with a share of 1 is due. Most have 1; 0 counts as 1.
    pub fn add_tenant(&mut self, share: u32) -> TenantKey {
        self.tenants.insert(Tenant {
            account: Account::new(share),
            proofs: 0,
        })
    }

    /// Gives a tenant another share.
    ///
    /// # Errors
    /// [`Refused::UnknownTenant`].
    pub fn set_share(&mut self, tenant: TenantKey, share: u32) -> Result<(), Refused> {
        let found = self.tenants.get_mut(tenant);
        found
            .ok_or(Refused::UnknownTenant)?
            .account
            .set_share(share);
        for class in Class::ALL {
            self.stand_tenant(tenant, class);
        }
        Ok(())
    }

    /// Forgets a tenant.
    ///
    /// # Errors
    /// [`Refused::UnknownTenant`]; [`Refused::InUse`] while it has proofs or takes up room on workers.
    pub fn remove_tenant(&mut self, tenant: TenantKey) -> Result<(), Refused> {
        let found = self.tenants.get(tenant).ok_or(Refused::UnknownTenant)?;
        if found.proofs > 0 || !found.account.is_empty() {
            return Err(Refused::InUse);
        }
        self.tenants.remove(tenant);
        Ok(())
    }

    /// Weight that a tenant's tasks take up on workers now, in GiB.
    pub fn used_by_tenant(&self, tenant: TenantKey, class: Class) -> Option<u64> {
        Some(self.tenants.get(tenant)?.account.used(class))
    }

    /// Moves a tenant to where it now stands in the order.
    pub(super) fn stand_tenant(&mut self, tenant: TenantKey, class: Class) {
        if let Some(found) = self.tenants.get(tenant) {
            let standing = found.account.standing(class);
            let index = u32::try_from(tenant.index()).unwrap_or(u32::MAX);
            self.queue.set_standing(index, class, standing);
        }
    }
}
