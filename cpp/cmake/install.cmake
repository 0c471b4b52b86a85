# Where things go: under hepml/ beside the Python package in a wheel, in the usual places otherwise.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
if(HEPML_PYTHON)
  set(HEPML_INSTALL_LIB hepml/lib)
  set(HEPML_INSTALL_INCLUDE hepml/include)
  set(HEPML_INSTALL_BIN ${SKBUILD_SCRIPTS_DIR})  # on the path of the environment
else()
  set(HEPML_INSTALL_LIB ${CMAKE_INSTALL_LIBDIR})
  set(HEPML_INSTALL_INCLUDE ${CMAKE_INSTALL_INCLUDEDIR})
  set(HEPML_INSTALL_BIN ${CMAKE_INSTALL_BINDIR})
endif()
set(HEPML_INSTALL_CMAKE ${HEPML_INSTALL_LIB}/cmake/hepml)

install(TARGETS hepml EXPORT hepmlTargets ARCHIVE DESTINATION ${HEPML_INSTALL_LIB}
        LIBRARY DESTINATION ${HEPML_INSTALL_LIB} INCLUDES DESTINATION ${HEPML_INSTALL_INCLUDE})
install(DIRECTORY include/hepml DESTINATION ${HEPML_INSTALL_INCLUDE})
install(EXPORT hepmlTargets NAMESPACE hepml:: DESTINATION ${HEPML_INSTALL_CMAKE})
configure_package_config_file(cmake/hepmlConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/hepmlConfig.cmake
                              INSTALL_DESTINATION ${HEPML_INSTALL_CMAKE})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/hepmlConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/hepmlConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/hepmlConfigVersion.cmake
        DESTINATION ${HEPML_INSTALL_CMAKE})

# From <prefix>/<lib>/pkgconfig up to <prefix>.
string(REGEX REPLACE "[^/]+" ".." HEPML_PC_UP "${HEPML_INSTALL_LIB}/pkgconfig")
foreach(name hepml hepml-shared)
  configure_file(cmake/${name}.pc.in ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${HEPML_INSTALL_LIB}/pkgconfig)
endforeach()
