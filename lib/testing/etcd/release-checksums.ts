/** SHA-256 of archives of etcd's releases, as their `SHA256SUMS` lists them. */
export const RELEASE_CHECKSUMS: Readonly<Record<string, string>> = {
  'etcd-v3.5.21-linux-amd64.tar.gz': 'adddda4b06718e68671ffabff2f8cee48488ba61ad82900e639d108f2148501c',
  'etcd-v3.5.21-linux-arm64.tar.gz': '95bf6918623a097c0385b96f139d90248614485e781ec9bee4768dbb6c79c53f',
};
