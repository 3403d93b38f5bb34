/* A library whose sources are all elsewhere still needs one translation unit. */
typedef int vault_empty;
