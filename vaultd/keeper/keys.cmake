# The keys and how they are forgotten: included by CMakeLists.txt of this folder.
vault_library(keeper_keys
  SOURCES root_store.c root_file.c key_tree.c key_tree_open.c key_tree_check.c key_tree_tenant.c key_tree_item.c
    key_tree_root.c bucket.c forget.c forget_plan.c
  LINK vault_crypto vault_base PkgConfig::LMDB PkgConfig::SODIUM)
