/* SPDX-License-Identifier: MIT
 *
 * The one page, whole: no other resource is loaded.
 */
#ifndef HTTPD_PAGE_H
#define HTTPD_PAGE_H

extern const char page_html[];

#endif
