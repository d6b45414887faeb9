/** Follows the sentence of etcd about a denied request. */
export const PERMISSION_HINT = "; a role of the client's user needs the permission";
