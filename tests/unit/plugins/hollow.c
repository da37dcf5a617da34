/* A shared object that exports no plugin. */
const int hollow_object = 1;
